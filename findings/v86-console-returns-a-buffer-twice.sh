#!/usr/bin/env bash
# Best guess: each chain that a driver publishes comes back in the used ring once.
# Seen: v86's console returns the chain of a PORT_READY or PORT_OPEN message twice, with the same id, in the used ring of the control queue;
# DEVICE_READY comes back once. The used index runs ahead of the available index, so a driver that matches used elements to what it
# published has to refuse the second (Linux calls it "not a head"), and one that only counts them reuses buffers that it has just given.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm init -y > /dev/null
npm install --silent --no-audit --no-fund v86@0.5.462

cat > run.mjs <<'JS'
const { startV86, findDevice, startDevice, post, takeUsed } = await import(process.argv[2])
const v86 = await startV86({ virtio_console: true })
const [, , receive, transmit] = startDevice(v86, findDevice(v86, 3), { accepted: [1], queues: 4 })
for (let index = 0; index < 8; index++) post(v86, receive, { at: 0x80_0000 + 64 * index, length: 64, writable: true })
for (const [name, port, event, value] of [['DEVICE_READY', 0xffffffff, 0, 1], ['PORT_READY', 0, 3, 1], ['PORT_OPEN', 0, 6, 1]]) {
  const message = Buffer.alloc(8)
  message.writeUInt32LE(port, 0)
  message.writeUInt16LE(event, 4)
  message.writeUInt16LE(value, 6)
  v86.write(0x81_0000, message)
  post(v86, transmit, { at: 0x81_0000, length: 8 })
  const ids = takeUsed(v86, transmit).map(({ id }) => id).join(', ')
  console.log(`${name}: published ${transmit.published}, used index ${transmit.seen}, returned with this message: id ${ids}`)
}
process.exit(0)
JS
node -p '`v86 ${require("v86/package.json").version}`'
node run.mjs "$here/support/v86.mjs" | tee now
diff now - <<'SEEN' || { echo 'CHANGED since it was seen'; exit 1; }
DEVICE_READY: published 1, used index 1, returned with this message: id 0
PORT_READY: published 2, used index 3, returned with this message: id 1, 1
PORT_OPEN: published 3, used index 5, returned with this message: id 2, 2
SEEN
echo 'as it was seen'
