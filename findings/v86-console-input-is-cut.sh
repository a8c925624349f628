#!/usr/bin/env bash
# Best guess: bytes for a virtio console wait in the device until the driver has posted buffers, and more bytes than one buffer takes go on
# into the next: a stream.
# Seen: v86's console puts one piece of input into one buffer, cuts what does not fit although other buffers are posted, and drops a piece that
# finds no buffer. A pasted line is one piece. The driver sees a full buffer (used.len is its size) as the only sign; a protocol over
# this console needs buffers as large as its largest message, always one of them free, and lengths or checksums of its own.
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
const [receive] = startDevice(v86, findDevice(v86, 3), { accepted: [1], queues: 4 })
const at = (id) => 0x80_0000 + 16 * id
const give = (count) => { for (let index = 0; index < count; index++) post(v86, receive, { at: at(receive.published % 8), length: 16, writable: true }) }
const input = (text) => v86.send('virtio-console0-input-bytes', Buffer.from(text))
const heard = (what) => {
  const pieces = takeUsed(v86, receive).map(({ id, length }) => JSON.stringify(v86.read(at(id), length).toString('latin1')))
  console.log(`${what}: ${pieces.join(', ') || 'nothing'}`)
}
input('typed before a buffer was posted')
give(3)
heard('32 bytes, then three buffers of 16')
input('a line of 40 bytes that was pasted here.')
heard('40 bytes into three buffers of 16')
input('and the next')
heard('12 bytes, two buffers left')
process.exit(0)
JS
node -p '`v86 ${require("v86/package.json").version}`'
node run.mjs "$here/support/v86.mjs" | tee now
diff now - <<'SEEN' || { echo 'CHANGED since it was seen'; exit 1; }
32 bytes, then three buffers of 16: nothing
40 bytes into three buffers of 16: "a line of 40 byt"
12 bytes, two buffers left: "and the next"
SEEN
echo 'as it was seen'
