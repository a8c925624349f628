#!/usr/bin/env bash
# Best guess: a virtio-mmio queue stops when the driver writes 0 to QueueReady and reads 0 back (virtio 1.2 section 4.2.2.2 asks for
# both, so that the device is surely out of the ring); set up anew over other memory and made ready, it begins at index 0.
# Seen: QEMU changes what is read back, and nothing else. A network device goes on to write frames into the buffers of the stopped receive
# queue and to return them in its used ring; and the indices go on: over other, zeroed memory the first buffer is not seen, and the
# second one is returned at used index 2. Only a device reset lets go of memory: what a driver frees behind QueueReady = 0 is written to.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source "$here/support/debian-packages.sh"
debian_packages qemu-system-arm=1:7.2+dfsg-7+deb12u18+b3
printf '\x7f\x20\x03\xd5\xff\xff\xff\x17' > "$tmp/idle.bin" # wfi; b .-4

cat > "$tmp/run.mjs" <<'JS'
const [support, file] = process.argv.slice(2)
const { startQemu, findDevice, startDevice, request, REG } = await import(support)
const hub = (id, mac) => ['-netdev', `hubport,id=${id},hubid=0`, '-device', `virtio-net-device,netdev=${id},mac=52:54:00:12:34:${mac}`]
const qemu = await startQemu([...hub('a', '0a'), ...hub('b', '0b')], { idle: { at: '0x47000000', file } })
const first = await findDevice(qemu, 1)
const second = first - 0x200
const { rings: [, transmit] } = await startDevice(qemu, first, { queues: 2 })
const { rings: [receive] } = await startDevice(qemu, second, { queues: 2, memory: 0x4040_0000 })
const [frame, room] = [0x4030_0000, 0x4031_0000]
const packet = Buffer.alloc(12 + 60)
packet.fill(0xff, 12, 18)
await qemu.write(frame, packet)
const send = () => request(qemu, transmit, [{ at: frame, length: packet.length }])
const post = () => {
  const arrived = request(qemu, receive, [{ at: room, length: 2048, writable: true }])
  arrived.catch(() => {})
  return arrived
}
const ready = async () => `QueueReady ${await qemu.read32(second + REG.queueReady)}`
const status = async () => `Status 0x${(await qemu.read32(second + REG.status)).toString(16)}`

const arrives = post()
await qemu.write32(second + REG.queueSel, 0)
await qemu.write32(second + REG.queueReady, 0)
console.log(`0 written: ${await ready()}`)
await qemu.write(room, Buffer.alloc(72, 0xcc))
await send()
const { length } = await arrives
console.log(`a frame comes: used.len ${length} in the used ring, destination in the buffer ${(await qemu.read(room + 12, 6)).toString('hex')}`)

Object.assign(receive, { memory: 0x4050_0000, published: 0, seen: 0 })
await qemu.write(receive.memory, Buffer.alloc(0x3000))
await qemu.write32(second + REG.queueNum, receive.size)
for (const [area, offset] of [[REG.queueDesc, 0], [REG.queueDriver, 0x1000], [REG.queueDevice, 0x2000]]) {
  await qemu.write32(second + area, receive.memory + offset)
  await qemu.write32(second + area + 4, 0)
}
await qemu.write32(second + REG.queueReady, 1)
console.log(`set up over zeroed memory: ${await ready()}, ${await status()}`)
const usedIndex = () => qemu.read16(receive.memory + 0x2002)
const pause = () => new Promise((resolve) => setTimeout(resolve, 20))
send().catch(() => {})
for (const [count, looks] of [[1, 25], [2, 500]]) {
  post()
  for (let look = 0; look < looks && (await usedIndex()) === 0; look++) await pause()
  console.log(`a frame waits, buffers posted there: ${count}, used index ${await usedIndex()}`)
}
qemu.stop()
process.exit(0)
JS
qemu-system-aarch64 --version | head -1
node "$tmp/run.mjs" "$here/support/qtest.mjs" "$tmp/idle.bin" | same_as_seen '0 written: QueueReady 0
a frame comes: used.len 72 in the used ring, destination in the buffer ffffffffffff
set up over zeroed memory: QueueReady 1, Status 0xf
a frame waits, buffers posted there: 1, used index 0
a frame waits, buffers posted there: 2, used index 2'
