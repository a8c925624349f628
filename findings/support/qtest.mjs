/**
 * QEMU's virtio-mmio devices (aarch64, machine virt) driven through qtest, with no guest: register and memory accesses as lines on
 * standard input, one split virtqueue a device queue. Valid requests only.
 */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

/** Register offsets, virtio 1.2 section 4.2.2. */
export const REG = {
  deviceId: 0x08,
  deviceFeatures: 0x10,
  deviceFeaturesSel: 0x14,
  driverFeatures: 0x20,
  driverFeaturesSel: 0x24,
  queueSel: 0x30,
  queueNumMax: 0x34,
  queueNum: 0x38,
  queueReady: 0x44,
  queueNotify: 0x50,
  status: 0x70,
  queueDesc: 0x80,
  queueDriver: 0x90,
  queueDevice: 0xa0,
  queueReset: 0xc0,
  config: 0x100,
}
const VERSION_1 = 32

/** `idle`: an address of RAM and a file with an AArch64 program that the processor runs; without it the machine is stopped, but devices answer. */
export async function startQemu(args, { machine = 'virt', idle } = {}) {
  const processor = idle === undefined ? ['-S'] : ['-device', `loader,file=${idle.file},addr=${idle.at},cpu-num=0`]
  const common = [
    '-accel',
    'tcg',
    ...processor,
    '-m',
    '128',
    '-nodefaults',
    '-display',
    'none',
    '-qtest',
    'stdio',
    '-qtest-log',
    '/dev/null',
  ]
  const modern = machine === 'virt' ? ['-global', 'virtio-mmio.force-legacy=false'] : []
  const wide = idle !== undefined && machine.startsWith('virt') ? ['-cpu', 'cortex-a53'] : []
  const child = spawn('qemu-system-aarch64', ['-M', machine, ...common, ...modern, ...wide, ...args])
  process.on('exit', () => child.kill())
  const waiting = []
  let complaint = ''
  child.stderr.on('data', (text) => {
    complaint += text
  })
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (!line.startsWith('IRQ')) waiting.shift()?.(line)
  })
  child.on('exit', () => {
    for (const answer of waiting) answer(`QEMU has ended: ${complaint}`)
  })
  const command = (line) =>
    new Promise((resolve) => {
      waiting.push(resolve)
      child.stdin.write(`${line}\n`)
    })
  const ask = async (line) => {
    const answer = await command(line)
    if (!answer.startsWith('OK')) throw new Error(`${line}: ${answer}`)
    return answer.slice(3)
  }
  const hex = (value) => `0x${(value >>> 0).toString(16)}`
  return {
    read8: async (at) => Number(await ask(`readb ${hex(at)}`)),
    read16: async (at) => Number(await ask(`readw ${hex(at)}`)),
    read32: async (at) => Number(await ask(`readl ${hex(at)}`)),
    write8: (at, value) => ask(`writeb ${hex(at)} ${hex(value)}`),
    write16: (at, value) => ask(`writew ${hex(at)} ${hex(value)}`),
    write32: (at, value) => ask(`writel ${hex(at)} ${hex(value)}`),
    read: async (at, length) => Buffer.from((await ask(`read ${hex(at)} ${length}`)).slice(2), 'hex'),
    write: (at, bytes) => ask(`write ${hex(at)} ${bytes.length} 0x${Buffer.from(bytes).toString('hex')}`),
    stop: () => child.kill(),
  }
}

/** Address of the register window of the device with this id. */
export async function findDevice(qemu, id) {
  for (let slot = 31; slot >= 0; slot--) {
    const at = 0x0a00_0000 + 0x200 * slot
    if ((await qemu.read32(at + REG.deviceId)) === id) return at
  }
  throw new Error(`no device with id ${id}`)
}

/** Bits offered in the two feature windows that a bit below 64 can be in. */
export async function featuresOf(qemu, at) {
  const bits = []
  for (let window = 0; window < 2; window++) {
    await qemu.write32(at + REG.deviceFeaturesSel, window)
    const word = await qemu.read32(at + REG.deviceFeatures)
    for (let bit = 0; bit < 32; bit++) if ((word >>> bit) & 1) bits.push(32 * window + bit)
  }
  return bits
}

/** Reset, features (VERSION_1 and `wanted` where offered), `queues` rings of 8, DRIVER_OK. */
export async function startDevice(qemu, at, { wanted = [], queues = 1, memory = 0x4010_0000 } = {}) {
  for (const status of [0, 1, 3]) await qemu.write32(at + REG.status, status)
  const offered = await featuresOf(qemu, at)
  const accepted = offered.filter((bit) => bit === VERSION_1 || wanted.includes(bit))
  for (let window = 0; window < 2; window++) {
    const word = accepted.filter((bit) => bit >> 5 === window).reduce((sum, bit) => sum + 2 ** (bit & 31), 0)
    await qemu.write32(at + REG.driverFeaturesSel, window)
    await qemu.write32(at + REG.driverFeatures, word)
  }
  await qemu.write32(at + REG.status, 0xb)
  const rings = []
  for (let index = 0; index < queues; index++) {
    const ring = { at, index, memory: memory + 0x1_0000 * index, size: 8, published: 0, seen: 0 }
    await qemu.write(ring.memory, Buffer.alloc(0x3000))
    await qemu.write32(at + REG.queueSel, index)
    await qemu.write32(at + REG.queueNum, ring.size)
    await qemu.write32(at + REG.queueDesc, ring.memory)
    await qemu.write32(at + REG.queueDriver, ring.memory + 0x1000)
    await qemu.write32(at + REG.queueDevice, ring.memory + 0x2000)
    for (const area of [REG.queueDesc, REG.queueDriver, REG.queueDevice]) await qemu.write32(at + area + 4, 0)
    await qemu.write32(at + REG.queueReady, 1)
    rings.push(ring)
  }
  await qemu.write32(at + REG.status, 0xf)
  return { offered, accepted, rings }
}

/** One chain, from descriptor 0 on; `buffers`: [{ at, length, writable }]. Returns the used element. */
export async function request(qemu, ring, buffers) {
  const table = Buffer.alloc(16 * buffers.length)
  buffers.forEach(({ at, length, writable }, index) => {
    table.writeBigUInt64LE(BigInt(at), 16 * index)
    table.writeUInt32LE(length, 16 * index + 8)
    table.writeUInt16LE((index < buffers.length - 1 ? 1 : 0) | (writable ? 2 : 0), 16 * index + 12)
    table.writeUInt16LE(index + 1, 16 * index + 14)
  })
  await qemu.write(ring.memory, table)
  await qemu.write16(ring.memory + 0x1004 + 2 * (ring.published++ % ring.size), 0)
  await qemu.write16(ring.memory + 0x1002, ring.published & 0xffff)
  await qemu.write32(ring.at + REG.queueNotify, ring.index)
  for (let looks = 0; looks < 1000; looks++) {
    if ((await qemu.read16(ring.memory + 0x2002)) !== (ring.seen & 0xffff)) {
      const element = await qemu.read(ring.memory + 0x2004 + 8 * (ring.seen++ % ring.size), 8)
      return { id: element.readUInt32LE(0), length: element.readUInt32LE(4) }
    }
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  throw new Error('the device did not answer within 5 s')
}
