/**
 * Attacks that once moved honest flows past their bounds, or took the core of an honest VM, kept up for a whole run by a guest that breaks
 * no ring. The random search for others is `npm run hostile`.
 */
import { describe, expect, it } from 'vitest'
import { CALLING_PORT, LISTENING_PORT } from '../../src/machine/vsock-router.ts'
import type { GuestMemory } from '../../src/memory/index.ts'
import { type Design, type Intruder, predict, simulate } from '../../src/platform-zcu102/index.ts'
import { parseScenario, type Scenario } from '../../src/scenario/index.ts'
import { RawQueue } from '../../src/testing/hostile-guest/raw-queue.ts'
import { type DeviceRegisters, VsockHeader, writeVsockHeader } from '../../src/virtio/index.ts'

const HOSTILE = 2
const [RX, TX] = [0, 1] as const
const [KICK_RX, KICK_TX] = [1, 2] as const
const HEADER_BYTES = 44

const scenarioOf = (scheduler: string, regulator: string): Scenario =>
  parseScenario(`
duration: 40ms
vms:
  - { name: camera, core: 0, cid: 3 }
  - { name: planner, core: 1, cid: 4 }
  - { name: hostile, core: 2, cid: 5, queue: 8192 }
flows:
  - { name: control, from: planner, to: camera, period: 4ms, length: 4000, payload: none }
  - { name: frames, from: camera, to: planner, period: 8ms, length: 200000, payload: none }
  - { name: noise, from: hostile, to: planner, period: 2ms, length: 4000, payload: none }
  - { name: bait, from: planner, to: hostile, period: 2ms, length: 40000, payload: none }
broker: { scheduler: ${scheduler}, regulator: ${regulator} }
`)

function queueOf(memory: GuestMemory, registers: DeviceRegisters, index: number): RawQueue {
  registers.queueSelect = index
  const [descriptors, driver, device] = ([0, 1, 2] as const).map((area) => registers.readQueueAddress(area, 0))
  return new RawQueue(memory, registers.queueSize, descriptors!, driver!, device!)
}

/** The last page of its RAM, for whatever it likes. */
const scratch = ({ regions: [ram] }: GuestMemory) => ram!.base + ram!.size - 4096

/** Messages of one byte on its flow, as many as its ring holds, and more as soon as one has gone. */
function flood(): Intruder {
  let queue: RawQueue | null = null
  return {
    vm: HOSTILE,
    act(memory, _, registers) {
      const address = scratch(memory)
      if (queue === null) {
        queue = queueOf(memory, registers, TX)
        const ports = { srcPort: CALLING_PORT + 2, dstPort: LISTENING_PORT + 2 }
        const header = Object.assign(new VsockHeader(), {
          srcCid: 5,
          dstCid: 4,
          ...ports,
          type: 1,
          op: 5,
          len: 1,
          bufAlloc: 4096,
        })
        const bytes = new Uint8Array(HEADER_BYTES)
        writeVsockHeader(bytes, 0, header)
        memory.write(address, bytes)
      }
      while (((queue.availIdx - queue.usedIdx) & 0xffff) < queue.size - 1) {
        const index = queue.availIdx % queue.size
        queue.writeDescriptor(index, { address, length: HEADER_BYTES + 1, writable: false }, -1)
        queue.publish(index)
      }
      queue.writeEvents(0, queue.usedIdx)
      return KICK_TX
    },
  }
}

/** It gives none of its receive buffers back, and posts 2000 of these parts instead. */
function offer(parts: readonly number[]): Intruder {
  let posted = false
  return {
    vm: HOSTILE,
    act(memory, _, registers) {
      if (posted) return 0
      posted = true
      const queue = queueOf(memory, registers, RX)
      const address = scratch(memory)
      // Its driver's own buffers are at the front of the ring and of the table.
      const count = Math.min(2000, Math.floor((queue.size - 1000) / parts.length))
      for (let i = 0; i < count; i++) {
        const head = 1000 + i * parts.length
        parts.forEach((length, part) => {
          const next = part + 1 < parts.length ? head + part + 1 : -1
          queue.writeDescriptor(head + part, { address: address + 128 * part, length, writable: true }, next)
        })
        queue.publish(head)
      }
      return KICK_RX
    },
  }
}

const ATTACKS: readonly (readonly [string, () => Intruder])[] = [
  ['messages of one byte at full speed', flood],
  ['receive buffers of one byte', () => offer([HEADER_BYTES + 1])],
  ['receive buffers without room', () => offer([1])],
  ['receive buffers in 100 parts', () => offer(Array.from({ length: 100 }, () => 64))],
]

describe.each([
  ['dedicated', 'edf', 'none'],
  ['dedicated', 'fp', 'none'],
  ['floating', 'edf', 'none'],
  ['floating', 'fp', 'none'],
  ['floating', 'edf', '{ kind: budget, budget: 500us, period: 1ms }'],
] as const)('%s, %s, regulator %s', (design, scheduler, regulator) => {
  const scenario = scenarioOf(scheduler, regulator)
  const { flows: bounds } = predict(scenario, { design })
  const run = (intruder?: Intruder) =>
    simulate(scenario, {
      design: design as Design,
      payload: () => null,
      hashesRun: false,
      ...(intruder && { intruder }),
    })
  const honest = run()

  it.each(ATTACKS)('%s: honest flows keep their bounds, honest cores their time', (_, attack) => {
    const { flows, simulatedNs, stolenNsByCore } = run(attack())
    for (const name of ['control', 'frames']) {
      const { delivered, messages, responseTimeNs } = flows[name]!
      const bound = bounds.find((flow) => flow.name === name)!.endToEndNs!
      expect({ name, delivered }).toEqual({ name, delivered: messages })
      expect(responseTimeNs!.max, name).toBeLessThanOrEqual(bound)
    }
    // What never arrives at the hostile guest keeps the run going, so shares of its time are compared.
    for (const core of ['0', '1']) {
      const share = stolenNsByCore[core]! / simulatedNs
      expect(share, `core ${core}`).toBeLessThan((1.3 * honest.stolenNsByCore[core]!) / honest.simulatedNs + 0.005)
    }
  })
})
