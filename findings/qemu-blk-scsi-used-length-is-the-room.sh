#!/usr/bin/env bash
# Best guess: used.len is the number of bytes that the device wrote (virtio 1.2 section 2.7.8.2), so a disk with the serial "abc" answers
# GET_ID with a used length of 1 + at most 4, and a read that fails with 1, its status byte.
# Seen: virtio-blk and virtio-scsi of QEMU report the room of all device-writable buffers, whatever they wrote. GET_ID into 64 bytes
# writes 4 of them and says 65; a read behind the end writes the status alone and says 513; INQUIRY writes 36 bytes of 255
# (the residual says so) and says 363. A driver that takes used.len for received bytes reads what was in the buffer before.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source "$here/support/debian-packages.sh"
debian_packages qemu-system-arm=1:7.2+dfsg-7+deb12u18+b3
truncate -s 1M "$tmp/disk.img"

cat > "$tmp/run.mjs" <<'JS'
const [support, disk] = process.argv.slice(2)
const { startQemu, findDevice, startDevice, request } = await import(support)
const drive = (id) => ['-drive', `if=none,id=${id},file=${disk},format=raw,snapshot=on`]
const qemu = await startQemu([
  ...drive('a'), '-device', 'virtio-blk-device,drive=a,serial=abc',
  ...drive('b'), '-device', 'virtio-scsi-device,id=s', '-device', 'scsi-hd,drive=b,bus=s.0',
])
const [header, data, tail] = [0x4020_0000, 0x4030_0000, 0x4031_0000]
const untouched = async (at, length) => {
  const bytes = await qemu.read(at, length)
  let end = length
  while (end > 0 && bytes[end - 1] === 0xcc) end--
  return end
}

const blk = await startDevice(qemu, await findDevice(qemu, 2))
const block = async (name, type, sector, room) => {
  const head = Buffer.alloc(16)
  head.writeUInt32LE(type, 0)
  head.writeBigUInt64LE(BigInt(sector), 8)
  await qemu.write(header, head)
  await qemu.write(data, Buffer.alloc(room, 0xcc))
  const used = await request(qemu, blk.rings[0], [
    { at: header, length: 16 }, { at: data, length: room, writable: true }, { at: tail, length: 1, writable: true },
  ])
  console.log(`blk ${name}: status ${await qemu.read8(tail)}, ${await untouched(data, room)} of ${room} data bytes written, used.len ${used.length}`)
}
await block('GET_ID', 8, 0, 64)
await block('read of the sector behind the last', 0, 2048, 512)

const scsi = await startDevice(qemu, await findDevice(qemu, 8), { queues: 3, memory: 0x4060_0000 })
const command = Buffer.alloc(51)
Buffer.from([1, 0, 0x40, 0]).copy(command)
Buffer.from([0x12, 0, 0, 0, 36, 0]).copy(command, 19)
await qemu.write(header, command)
await qemu.write(data, Buffer.alloc(255, 0xcc))
const used = await request(qemu, scsi.rings[2], [
  { at: header, length: 51 }, { at: tail, length: 108, writable: true }, { at: data, length: 255, writable: true },
])
const residual = (await qemu.read(tail + 4, 4)).readUInt32LE()
console.log(`scsi INQUIRY: residual ${residual}, ${await untouched(data, 255)} of 255 data bytes written, used.len ${used.length}`)
qemu.stop()
JS
qemu-system-aarch64 --version | head -1
node "$tmp/run.mjs" "$here/support/qtest.mjs" "$tmp/disk.img" | same_as_seen 'blk GET_ID: status 0, 4 of 64 data bytes written, used.len 65
blk read of the sector behind the last: status 1, 0 of 512 data bytes written, used.len 513
scsi INQUIRY: residual 219, 36 of 255 data bytes written, used.len 363'
