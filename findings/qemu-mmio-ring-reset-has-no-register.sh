#!/usr/bin/env bash
# Best guess: a device that offers RING_RESET (bit 40) on virtio-mmio can reset a ring: after 1 is written to QueueReset (0xc0), QueueReady reads 0.
# Seen: QEMU offers the bit on virtio-mmio, and the driver's acceptance stands (FEATURES_OK), but there is no such register: the write is
# dropped, QueueReset reads 0 ("the reset is complete"), the ring stays live and goes on to serve requests.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source "$here/support/debian-packages.sh"
debian_packages qemu-system-arm=1:7.2+dfsg-7+deb12u18+b3
truncate -s 1M "$tmp/disk.img"

cat > "$tmp/run.mjs" <<'JS'
const [support, disk] = process.argv.slice(2)
const { startQemu, findDevice, startDevice, request, REG } = await import(support)
const qemu = await startQemu(['-drive', `if=none,id=a,file=${disk},format=raw,snapshot=on`, '-device', 'virtio-blk-device,drive=a'])
const blk = await findDevice(qemu, 2)
const { accepted, rings } = await startDevice(qemu, blk, { wanted: [40] })
console.log(`RING_RESET offered and accepted: ${accepted.includes(40)}, status 0x${(await qemu.read32(blk + REG.status)).toString(16)}`)
await qemu.write32(blk + REG.queueSel, 0)
await qemu.write32(blk + REG.queueReset, 1)
console.log(`after the reset of the ring: QueueReset ${await qemu.read32(blk + REG.queueReset)}, QueueReady ${await qemu.read32(blk + REG.queueReady)}`)
const [header, data, status] = [0x4020_0000, 0x4030_0000, 0x4031_0000]
await qemu.write(header, Buffer.alloc(16))
const used = await request(qemu, rings[0], [
  { at: header, length: 16 }, { at: data, length: 512, writable: true }, { at: status, length: 1, writable: true },
])
console.log(`a read on that ring: status ${await qemu.read8(status)}, used.len ${used.length}`)
qemu.stop()
JS
qemu-system-aarch64 --version | head -1
node "$tmp/run.mjs" "$here/support/qtest.mjs" "$tmp/disk.img" | same_as_seen 'RING_RESET offered and accepted: true, status 0xf
after the reset of the ring: QueueReset 0, QueueReady 1
a read on that ring: status 0, used.len 513'
