#!/usr/bin/env bash
# Best guess: names that virtio devices tell are counted without a terminating NUL: virtio-input's configuration says size 20 for the
# name "QEMU Virtio Keyboard", and a console's PORT_NAME message for "foo" is the 8 byte header and 3 bytes.
# Seen: both of QEMU's devices count and send a NUL as well: size 21, and a message of 12 bytes. And a bitmap that is there but empty is not
# "size 0": EV_REP (subsel 0x14) of the keyboard has size 1 and no bit set, while an event type it lacks has size 0.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source "$here/support/debian-packages.sh"
debian_packages qemu-system-arm=1:7.2+dfsg-7+deb12u18+b3

cat > "$tmp/run.mjs" <<'JS'
const { startQemu, findDevice, startDevice, request, REG } = await import(process.argv[2])
const qemu = await startQemu([
  '-device', 'virtio-keyboard-device', '-device', 'virtio-serial-device,id=s,max_ports=4',
  '-chardev', 'ringbuf,id=c,size=64', '-device', 'virtserialport,bus=s.0,nr=1,chardev=c,name=foo',
])
const input = await findDevice(qemu, 18)
const config = input + REG.config
const ask = async (select, subsel) => {
  await qemu.write8(config, select)
  await qemu.write8(config + 1, subsel)
  const size = await qemu.read8(config + 2)
  return { size, bytes: await qemu.read(config + 8, Math.max(1, size)) }
}
const name = await ask(1, 0)
console.log(`input name: size ${name.size}, ${JSON.stringify(name.bytes.toString('latin1'))}`)
for (const [event, subsel] of [['EV_REP', 0x14], ['EV_SW', 0x05]]) {
  const { size, bytes } = await ask(0x11, subsel)
  console.log(`input bits of ${event}: size ${size}${size > 0 ? `, bytes ${bytes.toString('hex')}` : ''}`)
}

const serial = await findDevice(qemu, 3)
const { rings } = await startDevice(qemu, serial, { wanted: [1], queues: 4 })
const [received, control] = [rings[2], rings[3]]
const [out, room] = [0x4030_0000, 0x4031_0000]
const say = async (port, event, value) => {
  const message = Buffer.alloc(8)
  message.writeUInt32LE(port, 0)
  message.writeUInt16LE(event, 4)
  message.writeUInt16LE(value, 6)
  await qemu.write(out, message)
  await request(qemu, control, [{ at: out, length: 8 }])
}
const hear = () => request(qemu, received, [{ at: room, length: 64, writable: true }])
const added = hear()
await say(0xffffffff, 0, 1) // DEVICE_READY
await added
const named = hear()
await say(1, 3, 1) // PORT_READY
const { length } = await named
const bytes = await qemu.read(room, length)
console.log(`console event ${bytes.readUInt16LE(4)} (7 is PORT_NAME): ${length} bytes, ${JSON.stringify(bytes.subarray(8).toString('latin1'))}`)
qemu.stop()
JS
qemu-system-aarch64 --version | head -1
node "$tmp/run.mjs" "$here/support/qtest.mjs" | same_as_seen 'input name: size 21, "QEMU Virtio Keyboard\u0000"
input bits of EV_REP: size 1, bytes 00
input bits of EV_SW: size 0
console event 7 (7 is PORT_NAME): 12 bytes, "foo\u0000"'
