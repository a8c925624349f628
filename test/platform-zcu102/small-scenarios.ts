/** Small scenarios in which everything is scarce: rings, credit, buffers, budget. Built as objects, deterministic in a seed. */
import { Random } from '../../src/internal/random.ts'
import type { Design } from '../../src/platform-zcu102/index.ts'
import {
  type FlowSpec,
  type InterruptSpec,
  parseScenario,
  type RegulatorSpec,
  type Scenario,
} from '../../src/scenario/index.ts'

const EMPTY = parseScenario(`
vms: [{ name: a, core: 0, cid: 3 }, { name: b, core: 1, cid: 4 }]
flows: [{ name: f, from: a, to: b, period: 1ms, length: 1 }]
`)

export interface Combination {
  readonly design: Design
  readonly scheduler: 'edf' | 'fp'
  readonly chaining: 'adaptive' | 'piece'
  readonly regulator: RegulatorSpec
  readonly interrupts: InterruptSpec
}

const REGULATORS: readonly RegulatorSpec[] = [
  { kind: 'none' },
  { kind: 'rate', bytesPerNs: 0.3 },
  { kind: 'bucket', bytesPerNs: 0.3, burstBytes: 65_536 },
  { kind: 'budget', budgetNs: 3000, periodNs: 20_000 },
]

const flags = [false, true]

/** Every switch with every other, under both designs, schedulers and chainings and each regulator. */
export function combinations(): Combination[] {
  const all: Combination[] = []
  for (const design of ['dedicated', 'floating'] as const)
    for (const scheduler of ['edf', 'fp'] as const)
      for (const chaining of ['adaptive', 'piece'] as const)
        for (const regulator of REGULATORS)
          for (const eventIdx of flags)
            for (const lazyReclaim of flags)
              for (const suppressRefill of flags)
                for (const waitForShort of flags)
                  for (const receiver of ['interrupted', 'polls', 'coalesced'] as const)
                    all.push({
                      design,
                      scheduler,
                      chaining,
                      regulator,
                      interrupts: {
                        preset: 'custom',
                        eventIdx,
                        lazyReclaim,
                        suppressRefill,
                        waitForShort,
                        pollingNs: receiver === 'polls' ? 100_000 : 0,
                        coalesceCount: receiver === 'coalesced' ? 3 : 1,
                        coalesceDelayNs: receiver === 'coalesced' ? 15_000 : 0,
                      },
                    })
  return all
}

/**
 * Two to four VMs, one to six flows, some of them hops after others; periods so short that senders run out of buffers, credit
 * for one message or a few, receive rings of a few buffers, lengths of any alignment. Some VMs are throttled by MemGuard, and
 * in some scenarios pages are exchanged or lent.
 */
export function smallScenario(
  seed: number,
  { scheduler, chaining, regulator, interrupts, design }: Combination,
): Scenario {
  const random = new Random(seed)
  const cores = design === 'floating' ? 4 : 3
  const vms = Array.from({ length: random.between(2, 4) }, (_, i) => ({
    ...EMPTY.vms[0]!,
    name: `vm${i}`,
    core: random.between(0, cores - 1),
    cid: 3 + i,
    ramBytes: 1_310_720,
    buffers: random.pick(['page-aligned', 'unaligned'] as const),
    queueSize: random.pick([null, 4, 8, 32, 256]),
  }))
  // A budget is its core's: the VMs of one core have the same.
  const budgets = Array.from({ length: cores }, () =>
    random.chance(0.2) ? { memguard: { refills: 50, periodNs: 30_000 }, refillsPerUs: 4 } : {},
  )
  const periodNs = random.pick([3000, 20_000, 100_000])
  const messages = random.between(1, 12)
  const flows: FlowSpec[] = []
  for (let i = random.between(1, 6); i > 0; i--) {
    const before = flows.length > 0 && random.chance(0.3) ? random.pick(flows) : null
    const from = before?.to ?? random.pick(vms).name
    const lengthBytes = random.pick([1, 43, random.between(1, 600), random.between(1, 12_000), 4096, 8192])
    flows.push({
      ...EMPTY.flows[0]!,
      name: `flow${flows.length}`,
      from,
      to: random.pick(vms.filter(({ name }) => name !== from)).name,
      periodNs,
      deadlineNs: random.pick([periodNs, 10 * periodNs]),
      lengthBytes,
      jitterNs: random.pick([0, periodNs - 1]),
      offsetNs: before === null ? random.pick([0, 0, random.between(0, periodNs)]) : 0,
      creditBytes: random.pick([lengthBytes, 2 * lengthBytes + 1, 2 ** 30]),
      after: before?.name ?? null,
      computeNs: before === null ? 0 : random.between(0, 20_000),
    })
  }
  return {
    ...EMPTY,
    seed,
    durationNs: messages * periodNs,
    costs: random.pick(['best', 'typical', 'worst', 'random']),
    vms: vms.map((vm) => ({ ...vm, ...budgets[vm.core] })),
    flows,
    broker: {
      ...EMPTY.broker,
      scheduler,
      chaining,
      regulator,
      interrupts,
      ...random.pick([
        { transfer: 'copy', chunkBytes: random.pick([512, 4096, 65_536]) } as const,
        { transfer: random.pick(['remap', 'lend', 'auto'] as const), chunkBytes: 4096 } as const,
      ]),
      memguard: random.pick(['service', 'interruptible', 'retarget', 'accept'] as const),
    },
  }
}
