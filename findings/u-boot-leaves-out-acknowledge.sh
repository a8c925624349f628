#!/usr/bin/env bash
# Best guess: U-Boot, as a driver of QEMU's virtio-mmio disk with queue-size=64, takes the steps of virtio 1.2 section 3.1.1: Status 1, 3, 0xb, 0xf
# (ACKNOWLEDGE, DRIVER, FEATURES_OK, DRIVER_OK), and a queue of 64.
# Seen: it sets ACKNOWLEDGE, resets the device when it binds the driver, and goes on with 2, 0xa and 0xe: it
# runs the device without ACKNOWLEDGE, and a device that insists on the bit cannot be booted from. And the queue has 1024 entries: on
# virtio-mmio QEMU offers its own limit as QueueNumMax, whatever queue-size says, and U-Boot takes all that is offered.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source "$here/support/debian-packages.sh"
debian_packages qemu-system-arm=1:7.2+dfsg-7+deb12u18+b3 u-boot-qemu=2023.01+dfsg-2+deb12u3
truncate -s 1M "$tmp/disk.img"

cat > "$tmp/run.mjs" <<'JS'
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
const folder = process.argv[2]
const qemu = spawn('qemu-system-aarch64', [
  '-M', 'virt', '-cpu', 'cortex-a53', '-m', '256', '-nodefaults', '-display', 'none', '-serial', 'stdio',
  '-bios', `${folder}/root/usr/lib/u-boot/qemu_arm64/u-boot.bin`, '-global', 'virtio-mmio.force-legacy=false',
  '-drive', `if=none,id=a,file=${folder}/disk.img,format=raw,snapshot=on`, '-device', 'virtio-blk-device,drive=a,queue-size=64',
  '-trace', 'enable=virtio_set_status', '-trace', 'enable=virtio_mmio_queue_write', '-D', `${folder}/trace`,
])
process.on('exit', () => qemu.kill())
let heard = ''
for (const stream of [qemu.stdout, qemu.stderr]) stream.on('data', (text) => { heard += text })
const until = async (pattern) => {
  for (let looks = 0; !pattern.test(heard); looks++) {
    if (looks > 1200 || qemu.exitCode !== null) throw new Error(`U-Boot did not say ${pattern}: ${heard}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
await until(/Hit any key/)
qemu.stdin.write('\n')
for (const command of ['virtio scan', 'virtio read 0x41000000 0 1']) {
  await until(/=> $/)
  heard = ''
  qemu.stdin.write(`${command}\n`)
}
await until(/blocks read: \w+/)
console.log(heard.match(/blocks read: \w+/)[0])
const trace = readFileSync(`${folder}/trace`, 'utf8')
console.log(`Status written: ${[...trace.matchAll(/set_status .* val (\d+)/g)].map(([, value]) => `0x${Number(value).toString(16)}`).join(' ')}`)
console.log(`queue: ${trace.match(/mmio_queue write (.*)/)[1]}`)
process.exit(0)
JS
qemu-system-aarch64 --version | head -1
node "$tmp/run.mjs" "$tmp" | same_as_seen 'blocks read: OK
Status written: 0x0 0x0 0x1 0x0 0x0 0x2 0xa 0xe
queue: 0x400 max 1024'
