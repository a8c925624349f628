#!/usr/bin/env bash
# Best guess: after a queue reset over virtio-pci the queue is as after a device reset: queue_size shows the maximum, its addresses are 0, and
# a driver that enables it without writing a size gets the size that it has just read.
# Seen: queue_size shows 256, the maximum, but QEMU keeps the size and addresses of before, and enabling goes back to them: queue_size then
# shows 8 again. A driver that lays out 256 entries, as read, and enables runs over a device that counts modulo 8. A device reset clears all of it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source "$here/support/debian-packages.sh"
debian_packages qemu-system-arm=1:7.2+dfsg-7+deb12u18+b3
truncate -s 1M "$tmp/disk.img"

cat > "$tmp/run.mjs" <<'JS'
const [support, disk] = process.argv.slice(2)
const { startQemu } = await import(support)
const qemu = await startQemu([
  '-drive', `if=none,id=a,file=${disk},format=raw,snapshot=on`, '-device', 'virtio-blk-pci,drive=a,addr=4,disable-legacy=on',
], { machine: 'virt,highmem=off' })
const [pci, common] = [0x3f00_0000 + (4 << 15), 0x1000_0000] // configuration space of slot 4; where BAR 4 goes
await qemu.write32(pci + 0x20, common)
await qemu.write32(pci + 0x24, 0)
await qemu.write16(pci + 0x04, 6) // memory, bus master
const [FEATURE, DRIVER_FEATURE, STATUS, SELECT, SIZE, ENABLE, DESC, RESET] = [0x00, 0x08, 0x14, 0x16, 0x18, 0x1c, 0x20, 0x3a]
const start = async () => {
  for (const status of [0, 1, 3]) await qemu.write8(common + STATUS, status)
  await qemu.write32(common + FEATURE, 1)
  const offered = await qemu.read32(common + FEATURE + 4)
  for (const [window, word] of [[0, 0], [1, offered & 0x101]]) { // VERSION_1, RING_RESET
    await qemu.write32(common + DRIVER_FEATURE, window)
    await qemu.write32(common + DRIVER_FEATURE + 4, word)
  }
  await qemu.write8(common + STATUS, 0xb)
  await qemu.write16(common + SELECT, 0)
}
const addresses = async () => {
  for (const area of [0, 1, 2]) {
    await qemu.write32(common + DESC + 8 * area, 0x4010_0000 + 0x1000 * area)
    await qemu.write32(common + DESC + 8 * area + 4, 0)
  }
}
const show = async (what) => {
  const [size, enabled, at] = [await qemu.read16(common + SIZE), await qemu.read16(common + ENABLE), await qemu.read32(common + DESC)]
  console.log(`${what}: queue_size ${size}, queue_enable ${enabled}, queue_desc 0x${at.toString(16)}`)
}
await start()
await show('before')
await qemu.write16(common + SIZE, 8)
await addresses()
await qemu.write16(common + ENABLE, 1)
await qemu.write8(common + STATUS, 0xf)
await show('live')
await qemu.write16(common + RESET, 1)
console.log(`queue_reset reads ${await qemu.read16(common + RESET)}: complete`)
await show('after the queue reset')
await addresses()
await qemu.write16(common + ENABLE, 1)
await show('enabled without writing a size')
await start()
await show('after a device reset')
qemu.stop()
JS
qemu-system-aarch64 --version | head -1
node "$tmp/run.mjs" "$here/support/qtest.mjs" "$tmp/disk.img" | same_as_seen 'before: queue_size 256, queue_enable 0, queue_desc 0x0
live: queue_size 8, queue_enable 1, queue_desc 0x40100000
queue_reset reads 0: complete
after the queue reset: queue_size 256, queue_enable 0, queue_desc 0x40100000
enabled without writing a size: queue_size 8, queue_enable 1, queue_desc 0x40100000
after a device reset: queue_size 256, queue_enable 0, queue_desc 0x0'
