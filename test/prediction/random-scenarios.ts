/** Scenarios for the comparison of predictions with simulations. */
import { Random } from '../../src/internal/random.ts'
import { parseScenario, type Scenario } from '../../src/scenario/index.ts'

const INTERRUPTS = [
  'minimum',
  'minimum',
  'plain',
  '{ eventIdx: true, lazyReclaim: false, suppressRefill: true }',
  '{ eventIdx: false, lazyReclaim: true, suppressRefill: true }',
  '{ polling: 200us }',
  '{ coalesce: { count: 3, delay: 300us } }',
]

/** Random in everything that a bound depends on; small enough that most have one. */
export function randomScenario(seed: number): Scenario {
  const random = new Random(seed, 77)
  const one = <T>(choices: readonly T[]): T => choices[random.between(0, choices.length - 1)]!
  const vms = random.between(2, 4)
  // Two VMs may share a core; core 3 is the dedicated broker's.
  const cores = Array.from({ length: vms }, (_, i) => (random.chance(0.15) ? 0 : i % 3))
  const throttled = cores.map((core, i) => cores.indexOf(core) === i && random.chance(0.12))
  const memguard = (vm: number) =>
    throttled[vm]
      ? `, refillsPerUs: ${random.between(1, 5)}, memguard: { refills: ${random.between(200, 4000)}, period: ${one(['300us', '1ms'])} }`
      : ''
  const flowCount = random.between(1, 6)
  const chunk = one([4096, 4096, 4096, 1024, 512, 16384])
  const aligned = random.chance(0.85)
  const load = 0.25 * random.unit() * Math.min(1, chunk / 4096)
  const flows = Array.from({ length: flowCount }, (_, i) => {
    const from = random.between(0, vms - 1)
    const to = (from + random.between(1, vms - 1)) % vms
    const periodUs = Math.round(1000 * 10 ** (1.7 * random.unit()))
    const bytes = Math.round((2000 * periodUs * load * random.unit()) / flowCount)
    const length = random.chance(0.2) ? random.between(1, 300) : Math.max(1, bytes)
    const jitterUs = random.chance(0.3) ? random.between(0, Math.floor(periodUs / 3)) : 0
    const offsetUs = random.chance(0.5) ? 0 : random.between(0, 3000)
    return `  - { name: f${i}, from: v${from}, to: v${to}, period: ${periodUs}us, length: ${length}, payload: none, jitter: ${jitterUs}us, offset: ${offsetUs}us }`
  })
  const budget = one(['500us, period: 1ms', '300us, period: 1ms', '50us, period: 100us', '1ms, period: 1ms'])
  const regulator = one([
    'none',
    `{ kind: budget, budget: ${budget} }`,
    `{ kind: budget, budget: ${budget} }`,
    '{ kind: rate, bytesPerNs: 0.5 }',
    '{ kind: bucket, bytesPerNs: 0.4, burst: 128KiB }',
  ])
  return parseScenario(`
seed: ${seed}
duration: 60ms
costs: ${one(['random', 'worst', 'worst', 'best', 'typical'])}
vms:
${cores.map((core, i) => `  - { name: v${i}, core: ${core}, cid: ${3 + i}, buffers: ${aligned || random.chance(0.5) ? 'page-aligned' : 'unaligned'}${memguard(i)} }`).join('\n')}
flows:
${flows.join('\n')}
broker:
  scheduler: ${one(['fp', 'edf'])}
  chunk: ${chunk}
  regulator: ${regulator}
  interrupts: ${one(INTERRUPTS)}
  memguard: ${one(['service', 'interruptible', 'retarget', 'retarget', 'accept'])}
${chunk === 4096 ? moving(random) : ''}
  chaining: ${one(['adaptive', 'adaptive', 'piece'])}
`)
}

/** How pages are moved, with limits that matter for messages of some pages. */
function moving(random: Random): string {
  const transfer = random.pick(['copy', 'copy', 'remap', 'lend', 'lend', 'auto'] as const)
  if (transfer === 'copy') return '  transfer: copy'
  const keys = [`transfer: ${transfer}`]
  if (random.chance(0.3)) keys.push(`remapThreshold: ${random.between(4096, 40_000)}`)
  if (random.chance(0.3)) keys.push(`flushPages: ${random.between(2, 20)}`)
  if (random.chance(0.2)) keys.push(`colorPolicy: ${random.pick(['pool', 'refuse'])}`)
  if (transfer === 'lend' && random.chance(0.3)) keys.push(`lentPages: ${random.between(1, 100)}`)
  return keys.map((key) => `  ${key}`).join('\n')
}
