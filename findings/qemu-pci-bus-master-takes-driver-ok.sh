#!/usr/bin/env bash
# Best guess: while Bus Master in a PCI function's command register is off, a virtio device leaves its rings alone, and when it is on again it
# goes on where it was. device_status is the driver's: a device sets NEEDS_RESET there, and changes nothing else.
# Seen: QEMU takes DRIVER_OK back when the bit goes off (device_status 0xf becomes 0xb) and does not give it back with the bit. A network
# device then drops what arrives, with buffers posted and no sign of an error, until the driver writes 0xf once more. So firmware or a
# hypervisor that sizes BARs with command = 0, or a driver that turns the bit off to be safe, has to set DRIVER_OK anew.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source "$here/support/debian-packages.sh"
debian_packages qemu-system-arm=1:7.2+dfsg-7+deb12u18+b3
printf '\x7f\x20\x03\xd5\xff\xff\xff\x17' > "$tmp/idle.bin" # wfi; b .-4

cat > "$tmp/run.mjs" <<'JS'
const [support, file] = process.argv.slice(2)
const { startQemu, findDevice, startDevice, request } = await import(support)
const qemu = await startQemu([
  '-global', 'virtio-mmio.force-legacy=false',
  '-netdev', 'hubport,id=a,hubid=0', '-device', 'virtio-net-device,netdev=a,mac=52:54:00:12:34:0a',
  '-netdev', 'hubport,id=b,hubid=0', '-device', 'virtio-net-pci,netdev=b,addr=4,disable-legacy=on,romfile=,mac=52:54:00:12:34:0b',
], { machine: 'virt,highmem=off', idle: { at: '0x47000000', file } })
const { rings: [, transmit] } = await startDevice(qemu, await findDevice(qemu, 1), { queues: 2 })
const [frame, ring] = [0x4030_0000, 0x4040_0000]
const packet = Buffer.alloc(12 + 60)
packet.fill(0xff, 12, 18)
await qemu.write(frame, packet)

const [pci, common] = [0x3f00_0000 + (4 << 15), 0x1000_0000] // configuration space of slot 4; where BAR 4 goes
const notify = common + 0x3000
const [COMMAND, STATUS, SELECT, SIZE, ENABLE, DESC] = [0x04, 0x14, 0x16, 0x18, 0x1c, 0x20]
await qemu.write32(pci + 0x20, common)
await qemu.write32(pci + 0x24, 0)
await qemu.write16(pci + COMMAND, 6) // memory, bus master
for (const status of [0, 1, 3]) await qemu.write8(common + STATUS, status)
await qemu.write32(common + 8, 1)
await qemu.write32(common + 12, 1) // VERSION_1
await qemu.write8(common + STATUS, 0xb)
await qemu.write(ring, Buffer.alloc(0x3000))
await qemu.write16(common + SELECT, 0)
await qemu.write16(common + SIZE, 8)
for (const area of [0, 1, 2]) {
  await qemu.write32(common + DESC + 8 * area, ring + 0x1000 * area)
  await qemu.write32(common + DESC + 8 * area + 4, 0)
}
await qemu.write16(common + ENABLE, 1)
await qemu.write8(common + STATUS, 0xf)
for (let index = 0; index < 8; index++) {
  const descriptor = Buffer.alloc(16)
  descriptor.writeUInt32LE(0x4050_0000 + 2048 * index, 0)
  descriptor.writeUInt32LE(2048, 8)
  descriptor.writeUInt16LE(2, 12)
  await qemu.write(ring + 16 * index, descriptor)
  await qemu.write16(ring + 0x1004 + 2 * index, index)
}
await qemu.write16(ring + 0x1002, 8)
const send = () => request(qemu, transmit, [{ at: frame, length: packet.length }]).catch(() => {})
const look = async (what) => {
  await qemu.write16(notify, 0)
  await new Promise((resolve) => setTimeout(resolve, 1000))
  const status = await qemu.read8(common + STATUS)
  console.log(`${what}: device_status 0x${status.toString(16)}, ${await qemu.read16(ring + 0x2002)} buffers used`)
}
send()
await look('live, a frame is sent')
await qemu.write16(pci + COMMAND, 2)
await qemu.write16(pci + COMMAND, 6)
await look('bus master off and on again')
send()
await look('a frame is sent')
await qemu.write8(common + STATUS, 0xf)
await look('0xf written to device_status')
send()
await look('a frame is sent')
qemu.stop()
process.exit(0)
JS
qemu-system-aarch64 --version | head -1
node "$tmp/run.mjs" "$here/support/qtest.mjs" "$tmp/idle.bin" | same_as_seen 'live, a frame is sent: device_status 0xf, 1 buffers used
bus master off and on again: device_status 0xb, 1 buffers used
a frame is sent: device_status 0xb, 1 buffers used
0xf written to device_status: device_status 0xf, 1 buffers used
a frame is sent: device_status 0xf, 2 buffers used'
