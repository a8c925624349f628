/**
 * v86's virtio-pci devices driven from outside, with no guest: PCI and device registers through its port table, rings in its memory.
 * `v86` comes from the npm package in the folder that the script runs in. Valid requests only.
 */
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

/** Offsets in the common configuration, virtio 1.2 section 4.1.4.3. */
const COMMON = {
  driverFeatureSelect: 8,
  driverFeature: 12,
  status: 20,
  queueSelect: 22,
  queueSize: 24,
  queueEnable: 28,
  queueNotifyOff: 30,
  queueDesc: 32,
}
const VERSION_1 = 32
const [COMMON_CFG, NOTIFY_CFG] = [1, 2]

/** An emulator that has not been started: its devices answer, no processor runs. */
export async function startV86(options) {
  const { resolve } = createRequire(`${process.cwd()}/`)
  const library = resolve('v86')
  const { V86 } = await import(pathToFileURL(library.replace(/\.js$/, '.mjs')))
  const quiet = { disable_keyboard: true, disable_mouse: true, disable_speaker: true }
  const wasm_path = library.replace(/libv86\.m?js$/, 'v86.wasm')
  const bios = { buffer: new Uint8Array(0x10000).fill(0xf4).buffer }
  const emulator = new V86({ wasm_path, memory_size: 16 << 20, autostart: false, bios, ...quiet, ...options })
  await new Promise((done) => emulator.add_listener('emulator-ready', done))
  const { cpu } = emulator.v86
  const memory = () => new DataView(cpu.mem8.buffer, cpu.mem8.byteOffset, cpu.mem8.byteLength)
  return {
    ports: cpu.io,
    read: (at, length) => Buffer.from(cpu.mem8.subarray(at, at + length)),
    write: (at, bytes) => cpu.mem8.set(bytes, at),
    read16: (at) => memory().getUint16(at, true),
    write16: (at, value) => memory().setUint16(at, value, true),
    /** What the world says to a device, and what devices say to the world: v86's own bus. */
    send: (name, bytes) => emulator.bus.send(name, bytes),
    listen: (name, handler) => emulator.add_listener(name, handler),
  }
}

/** Ports of the first device with this virtio id. */
export function findDevice({ ports }, id) {
  const config = (slot, at) => {
    ports.port_write32(0xcf8, 0x8000_0000 | (slot << 11) | at)
    return ports.port_read32(0xcfc) >>> 0
  }
  const slot = Array.from({ length: 32 }, (_, index) => index).find(
    (index) => config(index, 0) === (0x1040 + id) * 0x1_0000 + 0x1af4,
  )
  if (slot === undefined) throw new Error(`no device with id ${id}`)
  const device = {}
  for (let at = config(slot, 0x34) & 0xff; at !== 0; at = (config(slot, at) >>> 8) & 0xff) {
    const type = config(slot, at) >>> 24
    const port = (config(slot, 0x10 + 4 * (config(slot, at + 4) & 0xff)) & ~3) + config(slot, at + 8)
    if (type === COMMON_CFG) device.common = port
    if (type === NOTIFY_CFG) Object.assign(device, { notify: port, multiplier: config(slot, at + 16) })
  }
  return device
}

/** Reset, VERSION_1 and `accepted`, `queues` rings of 8, DRIVER_OK. */
export function startDevice(v86, { common, notify, multiplier }, { accepted = [], queues }) {
  const { ports } = v86
  for (const status of [0, 1, 3]) ports.port_write8(common + COMMON.status, status)
  for (let window = 0; window < 2; window++) {
    const bits = [VERSION_1, ...accepted].filter((bit) => bit >> 5 === window)
    ports.port_write32(common + COMMON.driverFeatureSelect, window)
    ports.port_write32(
      common + COMMON.driverFeature,
      bits.reduce((word, bit) => word | (1 << (bit & 31)), 0),
    )
  }
  ports.port_write8(common + COMMON.status, 0xb)
  const rings = []
  for (let index = 0; index < queues; index++) {
    const memory = 0x10_0000 + 0x1_0000 * index
    v86.write(memory, Buffer.alloc(0x3000))
    ports.port_write16(common + COMMON.queueSelect, index)
    ports.port_write16(common + COMMON.queueSize, 8)
    for (const area of [0, 1, 2]) {
      ports.port_write32(common + COMMON.queueDesc + 8 * area, memory + 0x1000 * area)
      ports.port_write32(common + COMMON.queueDesc + 8 * area + 4, 0)
    }
    const port = notify + multiplier * ports.port_read16(common + COMMON.queueNotifyOff)
    ports.port_write16(common + COMMON.queueEnable, 1)
    rings.push({ memory, published: 0, seen: 0, notify: () => ports.port_write16(port, index) })
  }
  ports.port_write8(common + COMMON.status, 0xf)
  return rings
}

/** One buffer, in the next descriptor, published and notified. */
export function post(v86, ring, { at, length, writable = false }) {
  const slot = ring.published++ % 8
  const descriptor = Buffer.alloc(16)
  descriptor.writeUInt32LE(at, 0)
  descriptor.writeUInt32LE(length, 8)
  descriptor.writeUInt16LE(writable ? 2 : 0, 12)
  v86.write(ring.memory + 16 * slot, descriptor)
  v86.write16(ring.memory + 0x1004 + 2 * slot, slot)
  v86.write16(ring.memory + 0x1002, ring.published)
  ring.notify()
}

/** Used elements since the last look. */
export function takeUsed(v86, ring) {
  const elements = []
  for (const used = v86.read16(ring.memory + 0x2002); ring.seen < used; ring.seen++) {
    const element = v86.read(ring.memory + 0x2004 + 8 * (ring.seen % 8), 8)
    elements.push({ id: element.readUInt32LE(0), length: element.readUInt32LE(4) })
  }
  return elements
}
