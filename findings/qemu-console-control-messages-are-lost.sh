#!/usr/bin/env bash
# Best guess: a virtio console device keeps a control message until there is a buffer for it, so a driver with a control queue of 8 learns
# of 12 ports as long as it reposts its buffers.
# Seen: QEMU's console sends a control message if there is a buffer at that moment, and forgets it otherwise. PORT_ADD comes for all
# ports at once when DEVICE_READY arrives: 8 buffers hear of ports 1 to 8, and reposted ones of nothing more; with none posted, of no port.
# So post more buffers than there can be ports before DEVICE_READY, and do not take silence about a port for its absence.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source "$here/support/debian-packages.sh"
debian_packages qemu-system-arm=1:7.2+dfsg-7+deb12u18+b3

cat > "$tmp/run.mjs" <<'JS'
const { startQemu, findDevice, startDevice, request, REG } = await import(process.argv[2])
const ports = Array.from({ length: 12 }, (_, index) => ['-device', `virtserialport,bus=s.0,nr=${index + 1},name=p${index + 1}`])
const qemu = await startQemu(['-device', 'virtio-serial-device,id=s,max_ports=16', ...ports.flat()])
const serial = await findDevice(qemu, 3)
const [room, out] = [0x4030_0000, 0x4031_0000]
await qemu.write(out, Buffer.from([0xff, 0xff, 0xff, 0xff, 0, 0, 1, 0])) // DEVICE_READY, 1

/** `count` buffers of 64 bytes each. */
async function post(ring, count) {
  for (let index = 0; index < count; index++) {
    const slot = ring.published++ % ring.size
    const descriptor = Buffer.alloc(16)
    descriptor.writeBigUInt64LE(BigInt(room + 64 * slot), 0)
    descriptor.writeUInt32LE(64, 8)
    descriptor.writeUInt16LE(2, 12)
    await qemu.write(ring.memory + 16 * slot, descriptor)
    await qemu.write16(ring.memory + 0x1004 + 2 * slot, slot)
  }
  await qemu.write16(ring.memory + 0x1002, ring.published)
  await qemu.write32(serial + REG.queueNotify, ring.index)
}
async function heard(ring) {
  await new Promise((resolve) => setTimeout(resolve, 300))
  const messages = []
  for (const used = await qemu.read16(ring.memory + 0x2002); ring.seen < used; ring.seen++) {
    const message = await qemu.read(room + 64 * (ring.seen % ring.size), 8)
    messages.push(`${message.readUInt16LE(4) === 1 ? 'added' : 'event'} ${message.readUInt32LE(0)}`)
  }
  return messages.join(', ') || 'nothing'
}
for (const early of [8, 3, 0]) {
  const { rings } = await startDevice(qemu, serial, { wanted: [1], queues: 4 })
  const [receive, transmit] = [rings[2], rings[3]]
  await post(receive, early)
  await request(qemu, transmit, [{ at: out, length: 8 }])
  console.log(`${early} buffers before DEVICE_READY: ${await heard(receive)}`)
  await post(receive, 8)
  console.log(`and 8 after it: ${await heard(receive)}`)
}
qemu.stop()
JS
qemu-system-aarch64 --version | head -1
node "$tmp/run.mjs" "$here/support/qtest.mjs" | same_as_seen '8 buffers before DEVICE_READY: added 1, added 2, added 3, added 4, added 5, added 6, added 7, added 8
and 8 after it: nothing
3 buffers before DEVICE_READY: added 1, added 2, added 3
and 8 after it: nothing
0 buffers before DEVICE_READY: nothing
and 8 after it: nothing'
