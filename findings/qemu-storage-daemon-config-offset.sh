#!/usr/bin/env bash
# Best guess: VHOST_USER_GET_CONFIG returns `size` bytes of the device's configuration from `offset` on.
# Seen: the vhost-user-blk export of qemu-storage-daemon returns the beginning of the configuration whatever the offset, and says the
# offset that was asked for. More than its 60 bytes are answered with an empty payload, which the protocol has for errors. So: read all of it, once,
# from 0, no longer than the fields that the features imply, and slice.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source "$here/support/debian-packages.sh"
debian_packages qemu-system-common=1:7.2+dfsg-7+deb12u18+b3
truncate -s 8M "$tmp/disk.img"

cat > "$tmp/run.mjs" <<'JS'
import { spawn } from 'node:child_process'
import { createConnection } from 'node:net'
import { existsSync } from 'node:fs'
const folder = process.argv[2]
const socket = `${folder}/vhost.sock`
const daemon = spawn('qemu-storage-daemon', [
  '--blockdev', `driver=file,node-name=disk,filename=${folder}/disk.img`,
  '--export', `type=vhost-user-blk,id=e,node-name=disk,addr.type=unix,addr.path=${socket},num-queues=2`,
], { stdio: 'inherit' })
for (let looks = 0; !existsSync(socket) && looks < 200; looks++) await new Promise((resolve) => setTimeout(resolve, 20))
const connection = createConnection(socket)
let received = Buffer.alloc(0)
let arrived = () => {}
connection.on('data', (bytes) => { received = Buffer.concat([received, bytes]); arrived() })
const send = (request, payload = Buffer.alloc(0)) => {
  const header = Buffer.alloc(12)
  for (const [word, value] of [request, 1, payload.length].entries()) header.writeUInt32LE(value, 4 * word)
  connection.write(Buffer.concat([header, payload]))
}
const ask = async (request, payload) => {
  send(request, payload)
  while (received.length < 12 || received.length < 12 + received.readUInt32LE(8)) await new Promise((resolve) => { arrived = resolve })
  const answer = received.subarray(12, 12 + received.readUInt32LE(8))
  received = received.subarray(12 + answer.length)
  return answer
}
const u64 = (value) => { const bytes = Buffer.alloc(8); bytes.writeBigUInt64LE(value); return bytes }
await ask(1) // GET_FEATURES
const offered = (await ask(15)).readBigUInt64LE() // GET_PROTOCOL_FEATURES
console.log(`protocol feature CONFIG offered: ${((offered >> 9n) & 1n) === 1n}`)
send(16, u64(offered & (1n << 9n))) // SET_PROTOCOL_FEATURES
const config = async (offset, size) => {
  const request = Buffer.alloc(12 + size)
  request.writeUInt32LE(offset, 0)
  request.writeUInt32LE(size, 4)
  const answer = await ask(24, request)
  if (answer.length === 0) return `offset ${offset}, ${size} bytes: an empty payload`
  return `offset ${offset}, ${size} bytes: says offset ${answer.readUInt32LE(0)}, ${answer.subarray(12).toString('hex')}`
}
console.log(await config(0, 24))
console.log(await config(20, 4))
console.log(await config(0, 60).then((text) => `${text.slice(0, 60)}...`))
console.log(await config(0, 64))
connection.destroy()
daemon.kill()
JS
qemu-storage-daemon --version | head -1
node "$tmp/run.mjs" "$tmp" | same_as_seen 'protocol feature CONFIG offered: true
offset 0, 24 bytes: says offset 0, 0040000000000000000000007e0000000000000000020000
offset 20, 4 bytes: says offset 20, 00400000
offset 0, 60 bytes: says offset 0, 0040000000000000000000007...
offset 0, 64 bytes: an empty payload'
