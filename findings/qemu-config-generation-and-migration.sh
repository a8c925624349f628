#!/usr/bin/env bash
# Best guess: a driver that reads the two halves of a disk's capacity between two equal values of ConfigGeneration (virtio 1.2 section
# 2.5.1) has both from one moment, also when the machine is migrated in between: what the guest can see is migrated.
# Seen: QEMU migrates ring addresses, features, status and the pending interrupt, but not the generation: it is 0 again at the destination.
# One change before and one after the migration: the driver reads 1 twice, and a disk of 2 TiB has 4 TiB. Also, a change of the
# configuration sets both bits of InterruptStatus (3), so the interrupt says that buffers were used, though none was.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source "$here/support/debian-packages.sh"
debian_packages qemu-system-arm=1:7.2+dfsg-7+deb12u18+b3
truncate -s 1M "$tmp/disk.img" # sparse, whatever its size

cat > "$tmp/run.mjs" <<'JS'
import { createConnection } from 'node:net'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
const [support, folder] = process.argv.slice(2)
const { startQemu, findDevice, startDevice, REG } = await import(support)
const until = async (what, holds) => {
  for (let looks = 0; !(await holds()); looks++) {
    if (looks > 500) throw new Error(`${what}: not within 10 s`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
const start = async (name, ...more) => {
  const socket = `${folder}/${name}.sock`
  const disk = ['-drive', `if=none,id=a,file=${folder}/disk.img,format=raw`, '-device', 'virtio-blk-device,drive=a']
  const qemu = await startQemu([...disk, '-qmp', `unix:${socket},server=on,wait=off`, ...more])
  await until('monitor', () => existsSync(socket))
  const monitor = createConnection(socket)
  const waiting = []
  createInterface({ input: monitor }).on('line', (line) => { if (/^{"(return|error)"/.test(line)) waiting.shift()(JSON.parse(line)) })
  const run = async (execute, args = {}) => {
    const answered = new Promise((resolve) => waiting.push(resolve))
    monitor.write(JSON.stringify({ execute, arguments: args }))
    const { error, return: answer } = await answered
    if (error) throw new Error(`${execute}: ${error.desc}`)
    return answer
  }
  await run('qmp_capabilities')
  return { qemu, run, resize: (sectors) => run('block_resize', { device: 'a', size: 512 * sectors }) }
}
const hex = (value) => `0x${value.toString(16)}`
const source = await start('source')
const blk = await findDevice(source.qemu, 2)
await startDevice(source.qemu, blk)
const look = async (name, { qemu }) => {
  const [generation, interrupt] = [await qemu.read32(blk + 0xfc), await qemu.read32(blk + 0x60)]
  const [low, high] = [await qemu.read32(blk + REG.config), await qemu.read32(blk + REG.config + 4)]
  console.log(`${name}: generation ${generation}, InterruptStatus ${interrupt}, capacity ${hex(high * 2 ** 32 + low)}`)
  return { generation, low, high }
}
await look('started', source)
await source.resize(0xffff_f800)
const before = await look('resized to 2 TiB less 1 MiB', source)
await source.run('migrate', { uri: `exec:cat > ${folder}/stream` })
await until('migrated out', async () => (await source.run('query-migrate')).status === 'completed')
source.qemu.stop()

const destination = await start('destination', '-incoming', `exec:cat ${folder}/stream`)
await until('migrated in', async () => (await destination.run('query-status')).status !== 'inmigrate')
await look('migrated', destination)
await destination.resize(0x1_0000_0000)
const after = await look('resized to 2 TiB', destination)
const torn = hex(after.high * 2 ** 32 + before.low)
console.log(`low word from before, high word from after: generation ${before.generation} and ${after.generation}, capacity ${torn}`)
destination.qemu.stop()
process.exit(0)
JS
qemu-system-aarch64 --version | head -1
node "$tmp/run.mjs" "$here/support/qtest.mjs" "$tmp" | same_as_seen 'started: generation 0, InterruptStatus 0, capacity 0x800
resized to 2 TiB less 1 MiB: generation 1, InterruptStatus 3, capacity 0xfffff800
migrated: generation 0, InterruptStatus 3, capacity 0xfffff800
resized to 2 TiB: generation 1, InterruptStatus 3, capacity 0x100000000
low word from before, high word from after: generation 1 and 1, capacity 0x1fffff800'
