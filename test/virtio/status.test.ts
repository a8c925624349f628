import { GuestMemory } from 'virtio-sdk/memory'
import { checkStatusWrite, DeviceRegisters, FeatureSet, VIRTIO_F_VERSION_1 } from 'virtio-sdk/virtio'
import { describe, expect, it } from 'vitest'
import { idleModel } from './bare-device.ts'

const [ACK, DRV, DOK, FOK, NEEDS_RESET, FAILED] = [1, 2, 4, 8, 64, 128]
const STEPS = [0, ACK, ACK | DRV, ACK | DRV | FOK, ACK | DRV | FOK | DOK]
/** The way of a driver that leaves ACKNOWLEDGE out. */
const SHORT_STEPS = [0, DRV, DRV | FOK, DRV | FOK | DOK]

/** The rule in other words than the implementation's: where a legal write leads, by walking the steps. */
function isLegal(current: number, written: number): boolean {
  if (written === 0) return true
  const own = written & ~NEEDS_RESET
  const was = current & ~NEEDS_RESET
  if (own === was) return true
  if (own === (was | FAILED)) return true
  if (current & (NEEDS_RESET | FAILED)) return false
  if (was === 0 && own === (ACK | DRV)) return true
  return [STEPS, SHORT_STEPS].some((steps) => steps.includes(was) && steps[steps.indexOf(was) + 1] === own)
}

describe('device status', () => {
  it('STATUS-DRV-01, STATUS-DRV-02: every written byte over every reachable status', () => {
    for (const step of new Set([...STEPS, ...SHORT_STEPS])) {
      for (const device of [0, NEEDS_RESET]) {
        for (const failed of [0, FAILED]) {
          const current = step | device | failed
          for (let written = 0; written < 256; written++) {
            const problem = checkStatusWrite(current, written)
            expect([current, written, problem === null]).toEqual([current, written, isLegal(current, written)])
          }
        }
      }
    }
  })

  it("U-Boot's writes lead to a live device: 1, 0, then 2, 0xa and 0xe, and a saved state of it is taken back", () => {
    const options = { deviceId: 1, queueSizes: [] }
    const registers = new DeviceRegisters(options, idleModel)
    const violations: string[] = []
    registers.events.on('violation', ({ rule }) => violations.push(rule))
    registers.attach({ memory: GuestMemory.ofSize(4096), raiseInterrupt: () => {} })
    for (const status of [ACK, 0, DRV]) registers.writeStatus(status)
    registers.driverFeaturesSelect = 1
    registers.writeDriverFeatures(FeatureSet.of(VIRTIO_F_VERSION_1).window(1))
    for (const status of [DRV | FOK, DRV | FOK | DOK]) registers.writeStatus(status)
    expect([registers.status, registers.isLive, violations]).toEqual([DRV | FOK | DOK, true, []])
    const other = new DeviceRegisters(options, idleModel)
    other.attach({ memory: GuestMemory.ofSize(4096), raiseInterrupt: () => {} })
    other.restoreState(JSON.parse(JSON.stringify(registers.saveState())))
    expect([other.status, other.isLive]).toEqual([DRV | FOK | DOK, true])
  })

  it('STATUS-DRV-03: museum 25: an illegal write changes nothing and names its clause', () => {
    const registers = new DeviceRegisters({ deviceId: 1, queueSizes: [] }, idleModel)
    const seen: string[] = []
    registers.events.on('violation', ({ rule, clause }) => seen.push(`${rule} ${clause}`))
    registers.writeStatus(ACK)
    registers.writeStatus(DRV)
    registers.writeStatus(ACK | FOK)
    registers.writeStatus(ACK | 0x20)
    registers.writeStatus(ACK | FAILED)
    registers.writeStatus(ACK | DRV | FAILED)
    expect(registers.status).toBe(ACK | FAILED)
    expect(seen).toEqual([
      'status-bit-cleared STATUS-DRV-02',
      'status-step-skipped STATUS-DRV-01',
      'status-unknown-bit SUSP-DRV-01',
      'status-after-failed STATUS-DRV-03',
    ])
  })

  it('SUSP-DEV-01: SUSPEND has no effect, neither before the device is live nor after', () => {
    const SUSPEND = 16
    const registers = new DeviceRegisters({ deviceId: 1, queueSizes: [] }, idleModel)
    const seen: string[] = []
    registers.events.on('violation', ({ rule }) => seen.push(rule))
    registers.attach({ memory: GuestMemory.ofSize(4096), raiseInterrupt: () => {} })
    registers.driverFeaturesSelect = 1
    for (const step of STEPS) {
      if (step === (ACK | DRV | FOK)) registers.writeDriverFeatures(FeatureSet.of(VIRTIO_F_VERSION_1).window(1))
      if (step !== 0) registers.writeStatus(step)
      registers.writeStatus(step | SUSPEND)
      expect(registers.status).toBe(step)
    }
    expect([registers.isLive, seen]).toEqual([true, new Array(STEPS.length).fill('status-unknown-bit')])
  })

  it('RESET-DEV-01, FEAT-DEV-05: 0 leads out of every state, and the same features are accepted again', () => {
    const registers = new DeviceRegisters({ deviceId: 1, queueSizes: [] }, idleModel)
    registers.attach({ memory: GuestMemory.ofSize(4096), raiseInterrupt: () => {} })
    for (let round = 0; round < 3; round++) {
      registers.writeStatus(ACK)
      registers.writeStatus(ACK | DRV)
      registers.driverFeaturesSelect = 1
      registers.writeDriverFeatures(FeatureSet.of(VIRTIO_F_VERSION_1).window(1))
      registers.writeStatus(ACK | DRV | FOK)
      registers.writeStatus(ACK | DRV | FOK | DOK)
      expect(registers.status).toBe(ACK | DRV | FOK | DOK)
      if (round === 1) registers.setNeedsReset()
      if (round === 2) registers.writeStatus(ACK | DRV | FOK | DOK | FAILED)
      registers.writeStatus(0)
      expect(registers.status).toBe(0)
      expect(registers.features.bits).toBe(0n)
    }
  })

  it("STATUS-DEV-02, STATUS-DEV-03: NEEDS_RESET tells a live driver, and is not the driver's to clear", () => {
    const raised: number[] = []
    const registers = new DeviceRegisters({ deviceId: 1, queueSizes: [] }, idleModel)
    registers.attach({ memory: GuestMemory.ofSize(4096), raiseInterrupt: (reason) => raised.push(reason) })
    registers.writeStatus(ACK | DRV)
    registers.setNeedsReset()
    expect(raised).toEqual([])
    registers.writeStatus(0)
    registers.writeStatus(ACK | DRV)
    registers.driverFeaturesSelect = 1
    registers.writeDriverFeatures(1)
    registers.writeStatus(ACK | DRV | FOK)
    registers.writeStatus(ACK | DRV | FOK | DOK)
    registers.setNeedsReset()
    registers.setNeedsReset()
    expect(raised).toEqual([2])
    registers.writeStatus(ACK | DRV | FOK | DOK)
    expect(registers.status & NEEDS_RESET).toBe(NEEDS_RESET)
    expect(registers.isLive).toBe(false)
  })
})
