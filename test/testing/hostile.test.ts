/** The liars themselves: repeatable, varied, and sharp enough to catch a queue that trusts them. */
import { describe, expect, it } from 'vitest'
import {
  HOSTILE_LAYOUTS,
  HostileDriver,
  hostileMemory,
  RING_RULES,
  referenceDevice,
  referenceDriver,
  runHostileDevice,
  runHostileRings,
} from '../../src/testing/index.ts'
import { DEVICES_THAT_TRUST, DRIVERS_THAT_TRUST, SOUND_DEVICE, SOUND_DRIVER } from './broken-targets.ts'

const FEATURES = [
  { eventIdx: false, indirect: false },
  { eventIdx: true, indirect: true },
]

describe('HostileDriver', () => {
  const program = (driver: HostileDriver, number: number, steps: number) => {
    driver.start(number)
    for (let i = 0; i < steps; i++) driver.step()
    return driver.toString()
  }

  it('gives the same bytes for the same seed and number, whatever ran before', () => {
    const options = { seed: 1, eventIdx: true, indirect: true }
    const once = Array.from({ length: 300 }, (_, number) => program(new HostileDriver(options), number, 6))
    const driver = new HostileDriver(options)
    for (const number of once.keys()) expect(program(driver, 299 - number, 6)).toBe(once[299 - number])
  })

  it('prints a case as a drawing and as a program', () => {
    const driver = new HostileDriver({ seed: 1, eventIdx: true, indirect: true })
    driver.start(5)
    expect(driver.toString()).toMatchInlineSnapshot(`
      "replay: start(5) of new HostileDriver({"seed":1,"eventIdx":true,"indirect":true})
      memory 'paged', moves: honest chain
      split ring of 1, EVENT_IDX, INDIRECT_DESC · descriptors 0x80000040 · driver 0x80000024 · device 0x80000014
      available: flags 0, idx 1, used_event 6 · used: flags 0, idx 0, avail_event 0
        0 -> [0] table 0x80007ff1+16 { [0] R 0x8000e000+0 }
      const memory = new GuestMemory([{ base: 0x80000000, size: 0xe000, buffer: new ArrayBuffer(0xe000), frames: Int32Array.of(1, 2, 3, 4, 5, 6, 7, 8, 12, 11, -1, 10, 9, 9) }])
      const ring = { size: 1, descriptorArea: 0x80000040, driverArea: 0x80000024, deviceArea: 0x80000014, eventIdx: true, indirect: true }
      memory.writeU16(0x80000028, 0)
      writeDescriptor(memory, 0x80000040, 0, { address: [0x0, 0x80007ff1], length: 0x10, flags: 4, next: 34907 })
      writeDescriptor(memory, 0x80007ff1, 0, { address: [0x0, 0x8000e000], length: 0x0, flags: 0, next: 22257 })
      memory.writeU16(0x80000024, 0)
      memory.writeU16(0x8000002a, 6)
      memory.writeU16(0x80000026, 1)"
    `)
  })

  it('breaks every rule of the driver, and is honest often enough', () => {
    const broken = new Set<string>()
    for (const features of FEATURES) {
      const report = runHostileRings(referenceDevice, { seed: 2, rings: 10_000, ...features })
      expect(report.chains).toBeGreaterThan(report.rings)
      for (const rule of Object.keys(report.faults)) broken.add(rule)
    }
    expect([...broken].sort()).toEqual(
      Object.keys(RING_RULES)
        .filter((rule) => !rule.startsWith('used-'))
        .sort(),
    )
  })
})

it('the hostile device breaks every rule of the device, and is honest often enough', () => {
  const report = runHostileDevice(referenceDriver, { seed: 2, rings: 3000, eventIdx: true, indirect: true })
  expect(report.completions).toBeGreaterThan(report.rings)
  expect(Object.keys(report.faults).sort()).toEqual(
    Object.keys(RING_RULES)
      .filter((rule) => rule.startsWith('used-'))
      .sort(),
  )
})

it.each(HOSTILE_LAYOUTS)('hostile memory %s notices a byte written into its guards', (layout) => {
  const { memory, guardsIntact } = hostileMemory(layout, false)
  expect(guardsIntact()).toBe(true)
  const { buffer } = memory.regions[0]!.u8
  new Uint8Array(buffer)[buffer.byteLength - 1]! ^= 1
  expect(guardsIntact()).toBe(false)
})

describe('a queue that trusts its peer is found', () => {
  it('and one that does not is not', () => {
    runHostileRings(SOUND_DEVICE, { seed: 3, rings: 2000, eventIdx: true, indirect: true })
    runHostileDevice(SOUND_DRIVER, { seed: 3, rings: 2000, eventIdx: true, indirect: true })
  })

  it.each(DEVICES_THAT_TRUST)('when its device $name', (target) => {
    expect(() => {
      for (const features of FEATURES) runHostileRings(target, { seed: 3, rings: 5000, ...features })
    }).toThrow('replay: start(')
  })

  it.each(DRIVERS_THAT_TRUST)('when its driver $name', (target) => {
    expect(() => runHostileDevice(target, { seed: 3, rings: 5000, eventIdx: true, indirect: true })).toThrow(
      'replay: {',
    )
  })
})

it.each([Number.NaN, -1])('%d rings are refused: none at all would look like success', (rings) => {
  const options = { seed: 1, eventIdx: true, indirect: true, rings }
  expect(() => runHostileRings(referenceDevice, options)).toThrow(`rings is ${rings}; it must be an integer, 0 or more`)
  expect(() => runHostileDevice(referenceDriver, options)).toThrow(`rings is ${rings}`)
})
