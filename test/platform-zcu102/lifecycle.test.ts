/**
 * Writes to the registers of a device that no honest driver makes, in any order, while messages, pages and loans are under way: each is
 * refused or safe. The VM that makes them loses its device; the others notice nothing.
 */
import { describe, expect, it } from 'vitest'
import type { Broker } from '../../src/broker/index.ts'
import { Random } from '../../src/internal/random.ts'
import { MachineMemory } from '../../src/machine/machine-memory.ts'
import { startVm } from '../../src/machine/vm.ts'
import { receiveBuffersOf } from '../../src/plan/guest-queues.ts'
import { type Design, type Intruder, simulate, zcu102 } from '../../src/platform-zcu102/index.ts'
import { parseScenario } from '../../src/scenario/index.ts'
import { DEVICE_NEEDS_RESET, type DeviceRegisters, DRIVER_OK, FAILED } from '../../src/virtio/index.ts'

const KICK_RESET = 4
const BOTH_QUEUES = 3

/** `leaver` sends and receives long messages, and looks after itself every 10 us. */
const SCENARIO = parseScenario(`
duration: 4ms
vms:
  - { name: camera, core: 0, cid: 3 }
  - { name: leaver, core: 1, cid: 4 }
  - { name: planner, core: 2, cid: 5 }
flows:
  - { name: toLeaver, from: camera, to: leaver, period: 1ms, length: 256KiB }
  - { name: fromLeaver, from: leaver, to: planner, period: 1ms, offset: 500us, length: 128KiB }
  - { name: toLeaverToo, from: planner, to: leaver, period: 200us, length: 300 }
  - { name: commands, from: planner, to: camera, period: 500us, length: 5000 }
  - { name: frames, from: camera, to: planner, period: 2ms, length: 100000 }
  - { name: ticks, from: leaver, to: planner, period: 10us, length: 1 }
`)
const LEAVER = 1

type Transfer = 'copy' | 'remap' | 'lend'

function run(design: Design, transfer: Transfer, seed: number, intruder: Intruder) {
  const scenario = { ...SCENARIO, seed, broker: { ...SCENARIO.broker, transfer } }
  const { flows, payloadMismatches } = simulate(scenario, { design, payload: () => null, intruder })
  expect(payloadMismatches, `seed ${seed}`).toBe(0)
  for (const [name, messages] of [
    ['commands', 8],
    ['frames', 2],
  ] as const) {
    const { delivered, deadlineMisses } = flows[name]!
    expect({ seed, name, delivered, deadlineMisses }).toEqual({ seed, name, delivered: messages, deadlineMisses: 0 })
  }
}

const DESIGNS: readonly (readonly [Design, Transfer])[] = [
  ['dedicated', 'copy'],
  ['floating', 'copy'],
  ['floating', 'remap'],
  ['floating', 'lend'],
]

describe.each(DESIGNS)('%s, %s', (design, transfer) => {
  it('a reset at any moment, also while another core announces what has arrived', () => {
    for (let step = 0; step < 24; step++) {
      const statuses: number[] = []
      let calls = 0
      run(design, transfer, 1, {
        vm: LEAVER,
        act(_memory, behave) {
          // Interrupts come in between, so these are different moments, not equal steps.
          if (calls++ < 4 + 5 * step) return behave()
          return statuses.at(-1) === 0 ? 0 : KICK_RESET
        },
        onStatus: (status) => statuses.push(status),
      })
      expect(statuses.at(-1), `step ${step}`).toBe(0)
    }
  })

  it('any register, any value, in any order', () => {
    let resets = 0
    for (let seed = 1; seed <= 16; seed++) {
      const random = new Random(seed)
      const start = random.between(0, 100)
      let calls = 0
      run(design, transfer, seed, {
        vm: LEAVER,
        act(_memory, behave, registers) {
          if (calls++ < start) return behave()
          for (let writes = random.between(1, 4); writes > 0; writes--) write(registers, random)
          return random.pick([behave, () => BOTH_QUEUES, () => KICK_RESET | BOTH_QUEUES, () => KICK_RESET])()
        },
        onStatus: (status) => {
          if (status === 0) resets++
        },
      })
    }
    expect(resets).toBeGreaterThan(16)
  })
})

/** One write; never a status of 0, which has to enter the broker. */
function write(registers: DeviceRegisters, random: Random): void {
  registers.queueSelect = random.between(0, 3)
  switch (random.between(0, 6)) {
    case 0:
      registers.disableQueue()
      break
    case 1:
      registers.resetQueue()
      break
    case 2:
      registers.enableQueue()
      break
    case 3:
      registers.queueSize = random.pick([0, 1, 2, 8, 256, 32_768, 65_535])
      break
    case 4:
      registers.writeQueueAddress(
        random.pick([0, 1, 2]),
        random.pick([0, 0, 1]),
        0x4000_0000 + 4096 * random.between(0, 40),
      )
      break
    case 5:
      registers.writeStatus(random.pick([1, 3, 11, 15, 15, 128 | 15, 64 | 15]))
      break
    default:
      registers.writeDriverFeatures(random.u32())
  }
}

describe('the device of a VM', () => {
  function start() {
    const memory = new MachineMemory(SCENARIO, zcu102)
    const attached: number[] = []
    const broker = {
      attach: (vm: number) => attached.push(vm),
      isAttached: (vm: number) => attached.includes(vm),
    } as unknown as Broker
    const { registers } = startVm({
      vm: LEAVER,
      core: 1,
      cid: 4,
      stage2: memory.stage2[LEAVER]!,
      payloadBytes: memory.ram[LEAVER]!.payloadBytes,
      queueSize: null,
      receiveBuffers: receiveBuffersOf(SCENARIO, LEAVER),
      maxMessageBytes: 1 << 20,
      eventIdx: true,
      buffers: 'page-aligned',
      lazyReclaim: false,
      polls: false,
      keepsBytes: false,
      broker,
      host: { now: () => 0, onDelivered: () => {} },
      onViolation: () => {},
    })
    return { registers, attached }
  }

  it('keeps its queues while the broker uses them: QueueReady = 0 reads back 1', () => {
    const { registers, attached } = start()
    expect(attached).toEqual([LEAVER])
    for (const queue of [0, 1]) {
      registers.queueSelect = queue
      registers.disableQueue()
      expect(registers.queueEnabled).toBe(true)
    }
    attached.length = 0
    registers.disableQueue()
    expect(registers.queueEnabled).toBe(false)
  })

  it.each([[[]], [[0]], [[1]], [[0, 2]], [[1, 2]]])(
    'DRIVER_OK with only the queues %j needs a reset, and is not served',
    (queues) => {
      const { registers, attached } = start()
      const places = [0, 1, 2].map((queue) => {
        registers.queueSelect = queue
        return ([0, 1, 2] as const).map((area) => registers.readQueueAddress(area, 0))
      })
      attached.length = 0
      registers.writeStatus(0)
      expect(registers.status).toBe(0)
      for (const status of [1, 3]) registers.writeStatus(status)
      registers.driverFeaturesSelect = 1
      registers.writeDriverFeatures(1)
      registers.writeStatus(11)
      for (const queue of queues as number[]) {
        registers.queueSelect = queue
        places[queue]!.forEach((address, area) => {
          registers.writeQueueAddress(area as 0 | 1 | 2, 0, address)
        })
        registers.enableQueue()
        expect(registers.queueEnabled).toBe(true)
      }
      registers.writeStatus(15)
      expect(registers.status & (DRIVER_OK | DEVICE_NEEDS_RESET)).toBe(DRIVER_OK | DEVICE_NEEDS_RESET)
      expect(registers.status & FAILED).toBe(0)
      expect(attached).toEqual([])
    },
  )
})
