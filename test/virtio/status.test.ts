import { GuestMemory } from 'virtio-sdk/memory'
import { checkStatusWrite, DeviceRegisters, FeatureSet, VIRTIO_F_VERSION_1 } from 'virtio-sdk/virtio'
import { describe, expect, it } from 'vitest'
import { idleModel } from './bare-device.ts'

const [ACK, DRV, DOK, FOK, NEEDS_RESET, FAILED] = [1, 2, 4, 8, 64, 128]
const STEPS = [0, ACK, ACK | DRV, ACK | DRV | FOK, ACK | DRV | FOK | DOK]

/** The rule in other words than the implementation's: where a legal write leads, by walking the steps. */
function isLegal(current: number, written: number): boolean {
  if (written === 0) return true
  const own = written & ~NEEDS_RESET
  const was = current & ~NEEDS_RESET
  if (own === was) return true
  if (own === (was | FAILED)) return true
  if (current & (NEEDS_RESET | FAILED)) return false
  const from = STEPS.indexOf(was)
  const to = STEPS.indexOf(own)
  return to === from + 1 || (from === 0 && to === 2)
}

describe('device status', () => {
  it('STATUS-DRV-01, STATUS-DRV-02: every written byte over every reachable status', () => {
    for (const step of STEPS) {
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
