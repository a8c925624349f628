/** Bytes of Jailhouse's configuration files: those of its own board files, any that can be described, and what is no such file. */
import { createHash } from 'node:crypto'
import { fc, it as property } from '@fast-check/vitest'
import { describe, expect, it } from 'vitest'
import {
  checkConfigs,
  configJson,
  configSize,
  decode,
  describeConfig,
  encode,
  jailhouseConfig,
} from '../../src/jailhouse/index.ts'
import { linuxDemo, zcu102 } from './described.ts'

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

const u8 = fc.integer({ min: 0, max: 0xff })
const u16 = fc.integer({ min: 0, max: 0xffff })
const u32 = fc.integer({ min: 0, max: 0xffff_ffff })
const u64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n })
const few = <T>(arbitrary: fc.Arbitrary<T>) => fc.array(arbitrary, { maxLength: 3 })
const name = fc.string({
  unit: fc.integer({ min: 1, max: 0xff }).map((code) => String.fromCharCode(code)),
  maxLength: 31,
})

const memory = fc.record({ phys: u64, virt: u64, size: u64, flags: fc.integer({ min: 0, max: 0xf_ffff }) })
const uart = fc.record({
  address: u64,
  size: u32,
  type: u16,
  flags: u16,
  divider: u32,
  gateNumber: u32,
  clockRegister: u64,
})
const words = (of: fc.Arbitrary<number>, count: number) => fc.array(of, { minLength: count, maxLength: count })
const cellFields = {
  name,
  id: u32,
  flags: u32,
  cpus: fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 8 }),
  vpciIrqBase: u32,
  cpuResetAddress: u64,
  messageTimeout: u64,
  console: uart,
  caches: few(fc.record({ start: u32, size: u32, type: u8, flags: u16 })),
  irqchips: few(fc.record({ address: u64, id: u32, pinBase: u32, bitmap: words(u32, 4) })),
  pio: few(fc.record({ base: u16, length: u16 })),
  pciDevices: few(
    fc.record({
      type: u8,
      iommu: u8,
      domain: u16,
      bdf: u16,
      barMasks: words(u32, 6),
      firstCapability: u16,
      capabilities: u16,
      msiVectors: u8,
      msiFlags: u8,
      msixVectors: u16,
      msixRegionSize: u16,
      msixAddress: u64,
      firstRegion: u32,
      id: u8,
      peers: u8,
      protocol: u16,
    }),
  ),
  pciCapabilities: few(fc.record({ id: u16, start: u16, length: u16, flags: u16 })),
  streamIds: few(fc.record({ id: u16, mask: u16 })),
}
const withoutColors = memory.map((region) => ({ ...region, flags: region.flags & ~0x200 }))
const cell = fc.oneof(
  fc.record({ ...cellFields, memory: few(withoutColors), architecture: fc.constantFrom('x86', 'arm', 'arm64') }),
  fc.record({ ...cellFields, memory: few(memory), layout: fc.constant('coloring') }),
)
const board = {
  flags: u32,
  hypervisorMemory: withoutColors,
  debugConsole: uart,
  pciMmconfigBase: u64,
  pciMmconfigEndBus: u8,
  pciIsVirtual: u8,
  pciDomain: u16,
  iommuUnits: fc.array(fc.record({ type: u32, base: u64, size: u32, rest: words(u8, 12) }), { maxLength: 8 }),
}
const root = fc.record({ ...cellFields, memory: few(withoutColors) })
const gic = fc.record({ maintenanceIrq: u8, version: u8, gicd: u64, gicc: u64, gich: u64, gicv: u64, gicr: u64 })
const x86 = fc.record({ pmTimerAddress: u16, apicMode: u8, vtdInterruptLimit: u32, tscKhz: u32, apicKhz: u32 })
const system = fc.oneof(
  fc.record({ ...board, gic, rootCell: root }),
  fc.record({ ...board, x86, architecture: fc.constant('x86'), rootCell: root }),
  fc.record({ ...board, gic, layout: fc.constant('coloring'), llcWaySize: u64, colLoadAddress: u64, rootCell: root }),
)

describe('the files of Jailhouse for a ZCU102', () => {
  it.each([
    ['zynqmp-zcu102', zcu102],
    ['zynqmp-zcu102-linux-demo', linuxDemo],
  ])('%s comes out byte for byte', (_, { description, bytes, sha256: hash }) => {
    const file = encode(description)
    expect(file.length).toBe(bytes)
    expect(sha256(file)).toBe(hash)
    expect(sha256(encode(decode(file)))).toBe(hash)
  })

  it('have their fields where the hypervisor reads them', () => {
    const view = new DataView(encode(linuxDemo.description).buffer)
    // The lists begin behind the head of 132 bytes and a CPU set of 8.
    expect(view.getBigUint64(140, true)).toBe(0x8_0040_0000n)
    expect(view.getUint32(52, true)).toBe(12)
    expect(view.getBigUint64(132, true)).toBe(0xcn)
  })
})

describe('encode and decode', () => {
  property.prop([fc.oneof(cell, system)])('give back what was described', (description) => {
    const config = jailhouseConfig(description)
    const file = encode(config)
    expect(file.length).toBe(configSize(config))
    const found = decode(file)
    expect(describeConfig(found)).toContain(found.kind)
    expect(checkConfigs([found])).toBeInstanceOf(Array)
    // The last units of a system that are all zeros are not told from units that are not there.
    expect(encode(found)).toEqual(file)
    if (config.kind === 'cell') expect(found).toEqual(config)
  })

  property.prop([fc.oneof(cell, system)])('the JSON of a configuration is a description of it', (description) => {
    const file = encode(description)
    expect(encode(JSON.parse(configJson(decode(file))))).toEqual(file)
  })

  property.prop([fc.oneof(cell, system), fc.nat()])(
    'a file that is cut short is refused, never read over',
    (description, at) => {
      const file = encode(description)
      const cut = file.slice(0, at % file.length)
      expect(() => decode(cut)).toThrow(expect.objectContaining({ code: 'TRUNCATED' }))
    },
  )

  property.prop([fc.uint8Array({ maxLength: 400 })])('bytes at random are refused with a code', (bytes) => {
    let code = 'none'
    try {
      decode(bytes)
    } catch (error) {
      code = (error as { code: string }).code
    }
    expect(['TRUNCATED', 'BAD_SIGNATURE', 'BAD_REVISION', 'BAD_ARCHITECTURE']).toContain(code)
  })

  property.prop([fc.nat({ max: 667 }), u8])(
    'a changed byte gives another configuration or a refusal, no crash',
    (at, value) => {
      const file = encode(linuxDemo.description)
      file[at] = value
      try {
        decode(file)
      } catch (error) {
        expect((error as { code: string }).code).toMatch(/^(TRUNCATED|BAD_)/)
      }
    },
  )

  it('bytes behind the configuration are ignored, as Jailhouse does', () => {
    const file = encode(linuxDemo.description)
    const longer = new Uint8Array([...file, 1, 2, 3])
    expect(decode(longer)).toEqual(decode(file))
  })

  it.each([
    [[5, 'X'], 'BAD_ARCHITECTURE', 'the architecture at byte 5 is 88; it is one of 0 (x86), 1 (arm), 2 (arm64)'],
    [[6, 13], 'BAD_REVISION', 'is 13; revision 14'],
    [[0, 'K'], 'BAD_SIGNATURE', 'begins with JHSYS, a cell file with JHCLL'],
  ] as const)('byte %s wrong is %s', ([at, value], code, message) => {
    const file = encode(linuxDemo.description)
    file[at] = typeof value === 'string' ? value.charCodeAt(0) : value
    const refusal = expect.objectContaining({ code, message: expect.stringContaining(message) })
    expect(() => decode(file)).toThrow(refusal)
  })
})

describe('a description', () => {
  it.each([
    [{}, 'name: '],
    [{ name: 'x'.repeat(32) }, 'name: '],
    [{ name: 'a', memory: [{ size: -1 }] }, 'memory[0].size: must be a whole number of at most 64 bits'],
    [{ name: 'a', memory: [{ size: '4KiB' }] }, 'memory[0].size: must be a whole number'],
    [{ name: 'a', memory: [{ flags: ['WRIT'] }] }, 'memory[0].flags: has "WRIT"; the names are READ, WRITE'],
    [{ name: 'a', memory: [{ flags: ['COLORED'] }] }, 'memory: COLORED memory is only in the layout "coloring"'],
    [{ name: 'a', vpciIrqBase: 2 ** 32 }, 'vpciIrqBase: must be a whole number of at most 32 bits'],
    [{ name: 'a', cpus: [-1] }, 'cpus'],
    [{ name: 'a', cpus: [64], cpuSetBytes: 8 }, 'cpuSetBytes: is 8; CPU 64 needs 9'],
    [{ name: 'Größe\u{1f600}' }, 'name: must be of characters of one byte'],
    [{ name: 'a', memoryRegions: [] }, 'memoryRegions'],
    [{ rootCell: { name: 'r' }, hypervisorMemory: {}, x86: {} }, 'x86: the architecture is arm64, which has none'],
    [{ rootCell: { name: 'r' }, hypervisorMemory: {}, llcWaySize: 65536 }, 'llcWaySize: '],
    [null, 'the configuration'],
  ])('%j is refused at its place', (description, message) => {
    const refusal = expect.objectContaining({ code: 'BAD_CONFIG', message: expect.stringContaining(message) })
    expect(() => encode(description)).toThrow(refusal)
  })
})
