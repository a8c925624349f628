/**
 * Hostile drivers over a real transport: registers, notifications, reset, and memory that changes between any two accesses.
 * `ATTACK_CASES=20000 ATTACK_SEED=7 npx vitest run --project unit test/testing/transport` looks longer.
 */
import { describe, expect, it } from 'vitest'
import { attackDevice, behindSharedMemory, type DeviceBehindTransport } from '../../../src/testing/index.ts'
import {
  BlkDevice,
  ConsoleDevice,
  defineDevice,
  entropyDevice,
  MemoryDisk,
  NetDevice,
  VsockDevice,
} from '../../../src/virtio/index.ts'
import { adder } from '../../virtio/adder.ts'
import { TINY_FAULTS, tinyDevice } from './tiny-device.ts'

const CASES = Number(process.env.ATTACK_CASES ?? 100)
const SEED = Number(process.env.ATTACK_SEED ?? 20261123)

const OWN: readonly DeviceBehindTransport[] = [
  behindSharedMemory('adder', () => adder.create(), 1),
  behindSharedMemory('adder (reject)', () => adder.create({ policy: 'reject' }), 1),
  behindSharedMemory('entropy', () => entropyDevice({ source: (target) => target.fill(7).length }).create(), 1),
  // Receive buffers and event buffers wait for something to say.
  behindSharedMemory('vsock', () => vsockDevice(), 3, [1]),
  // Without their features there are no control queues.
  behindSharedMemory('blk', () => new BlkDevice({ backend: new MemoryDisk(65_536), queueSize: 16 }), 1),
  behindSharedMemory('console', () => new ConsoleDevice({ ports: [{}, {}], queueSize: 16 }), 6, [1]),
  behindSharedMemory('net', () => new NetDevice({ mac: '02:00:00:00:00:01', queueSize: 16 }), 3, [1]),
]

function vsockDevice() {
  const host = new VsockDevice({ guestCid: 3, queueSize: 16 })
  host.listen(7, () => {})
  return host
}

describe('our devices behind our transport', () => {
  it.each(OWN)('$name: scripts, and random misuse', (target) => {
    const report = attackDevice(target, { seed: SEED, cases: CASES })
    expect(report).toMatchObject({ scripts: 11, cases: CASES })
    expect(Math.min(report.kicks, report.rewrites, report.returned)).toBeGreaterThan(0.3 * CASES)
    if (process.env.ATTACK_CASES) console.log(target.name, report)
  })
})

describe('the attack finds', () => {
  it('nothing in a sound device', () => {
    expect(attackDevice(tinyDevice(), { seed: 1, cases: 100 }).cases).toBe(100)
  })

  it.each(TINY_FAULTS)('a device that %s', (fault) => {
    expect(() => attackDevice(tinyDevice(fault), { seed: 1, cases: 200 })).toThrow(`${fault}: `)
  })

  it('a device of ours whose handler drains for as long as anything waits', () => {
    const unbounded = defineDevice({
      id: 0x1234,
      queues: [{ name: 'requests', size: 8 }],
      requests(queue) {
        while (queue.waiting > 0) for (const request of queue.drain(8)) request.complete()
      },
    })
    const target = behindSharedMemory('unbounded', () => unbounded.create(), 1)
    expect(() => attackDevice(target, { seed: 1, cases: 0 })).toThrow(
      'unbounded: served 32768 chains that were reposted during one access: its turn has no bound',
    )
  })
})
