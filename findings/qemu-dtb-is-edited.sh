#!/usr/bin/env bash
# Best guess: a device tree that is given to QEMU's virt machine with -dtb reaches the guest with the size of its memory adapted, if at all: two
# memory nodes that lie within -m stay two, and what is between them stays out of the guest's reach.
# Seen: every memory node goes, and one over all of -m takes their place: the hole that was left for another cell or a shared region is the
# guest's to use. A /psci node that was taken out comes back. Nothing else is touched: a reserved region stays, and so does a place of an initrd
# with no initrd given. A hole on QEMU is written as /reserved-memory.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source "$here/support/debian-packages.sh"
debian_packages qemu-system-arm=1:7.2+dfsg-7+deb12u18+b3 device-tree-compiler=1.6.1-4+b1
cd "$tmp"

dump() { qemu-system-aarch64 -M "virt,dumpdtb=$1" -m 128 -nodefaults -display none "${@:2}" 2> log || { cat log; exit 1; }; }
show() {
  echo "$1: $(fdtget -l "$2" / | grep -E '^(memory|psci|reserved)' | sort | paste -sd ' ')"
  local memory
  for memory in $(fdtget -l "$2" / | grep '^memory@'); do echo "  $memory: $(fdtget -t x "$2" "/$memory" reg)"; done
  if fdtget -l "$2" /reserved-memory > nodes 2> /dev/null; then echo "  reserved: $(fdtget -t x "$2" "/reserved-memory/$(cat nodes)" reg)"; fi
}
run() {
  dump made.dtb
  show "QEMU's own" made.dtb
  cp made.dtb given.dtb
  fdtput -r given.dtb /psci
  fdtput -t x given.dtb /memory@40000000 reg 0 40000000 0 2000000
  fdtput -p -t s given.dtb /memory@44000000 device_type memory
  fdtput -t x given.dtb /memory@44000000 reg 0 44000000 0 2000000
  fdtput -p -t x given.dtb /reserved-memory '#address-cells' 2
  fdtput -t x given.dtb /reserved-memory '#size-cells' 2
  fdtput -t x given.dtb /reserved-memory ranges
  fdtput -p -t x given.dtb /reserved-memory/cell@46000000 reg 0 46000000 0 1000000
  show 'given with -dtb' given.dtb
  dump taken.dtb -dtb given.dtb
  show 'what the guest gets' taken.dtb
}
qemu-system-aarch64 --version | head -1
run | same_as_seen "QEMU's own: memory@40000000 psci
  memory@40000000: 0 40000000 0 8000000
given with -dtb: memory@40000000 memory@44000000 reserved-memory
  memory@44000000: 0 44000000 0 2000000
  memory@40000000: 0 40000000 0 2000000
  reserved: 0 46000000 0 1000000
what the guest gets: memory@40000000 psci reserved-memory
  memory@40000000: 0 40000000 0 8000000
  reserved: 0 46000000 0 1000000"
