/** What has to be believed for a run's figures to mean anything: printed with every result. */

import type { BoardProfile } from '../boards/index.ts'
import { builtInProfile } from '../boards/index.ts'
import type { Scenario } from '../scenario/index.ts'
import { ARRIVAL_TOLERANCE, ARRIVAL_TOLERANCE_NS } from './arrival-tolerance.ts'
import { dmaBytesPerNs } from './regulation.ts'

/** `profile`: that of the run; by default the built-in one that the scenario names, which may throw a `VirtioError`. */
export function assumptionsOf(scenario: Scenario, profile: BoardProfile = builtInProfile(scenario)): string[] {
  const { overrides, broker } = scenario
  const costs = Object.entries(profile.costsNs)
  const assumed = costs.filter(([, { status }]) => status.includes('ASSUMED')).map(([name]) => name)
  const measured = measurements(profile)
  const own = overrides.dmaBytesPerNs ?? profile.dmaBytesPerNs.value
  const lines = [
    measured.length === 0
      ? 'Simulated: nothing here was measured on a board.'
      : 'Simulated; of the platform, only what is called MEASURED was measured on a board.',
    ...measured,
    `DMA copies ${own} bytes/ns (${overrides.dmaBytesPerNs === null ? profile.dmaBytesPerNs.status : 'pinned by the scenario'}); PAUSE reaches the piece after the one in flight (${profile.dmaPrefetchedPieces.status}).`,
    `Costs are ${scenario.costs === 'random' ? 'drawn between best and worst, mostly near typical' : scenario.costs}; ASSUMED among them: ${assumed.join(', ') || 'none'}.`,
    'The dedicated broker is reconstructed from the public guest-side code of RTSS 2021; its broker and figures were not available.',
    'Guests are driver models: sending and interrupt handling cost time, producing and consuming payload does not.',
    `The broker accepts messages up to ${100 * ARRIVAL_TOLERANCE} % of a period${broker.toleranceNs === null ? '' : `, at most ${broker.toleranceNs / 1000} us`}, at least ${ARRIVAL_TOLERANCE_NS / 1000} us, early beyond a flow's jitter, and shapes what comes earlier.`,
    'Cache misses and memory interference are not simulated: costs are the same however busy the memory is.',
  ]
  lines.push(...memguardLines(scenario), ...neighbourLines(scenario))
  const { regulator } = broker
  if (regulator.kind === 'rate') {
    const kept = dmaBytesPerNs(scenario, profile)
    lines.push(
      kept === own
        ? `Rate control at ${regulator.bytesPerNs} bytes/ns does not slow the DMA down.`
        : `Rate control keeps ${kept} bytes/ns of the ${regulator.bytesPerNs} asked for: one burst every so many clocks.`,
    )
  }
  if (overrides.chunkOverheadNs !== null || overrides.messageOverheadNs !== null) {
    lines.push('Overheads are pinned by the scenario: what it does not name costs nothing.')
  }
  if (broker.transfer !== 'copy') lines.push(COLOR_POLICIES[broker.colorPolicy])
  return lines
}

const COLOR_POLICIES: Readonly<Record<Scenario['broker']['colorPolicy'], string>> = {
  pool: 'Pages change owners within the colours of the exchange pool, whose cache sets all VMs share.',
  refuse: "Pages whose colour is not the receiver's are copied instead of being moved.",
  accept:
    'Pages that are moved keep their colour, whatever partition that is in; the interference is counted, not simulated.',
}

/** A core has no time slices: what one VM of it takes, the others do not get. */
function neighbourLines({ vms }: Scenario): string[] {
  const cores = [...new Set(vms.map(({ core }) => core))].sort((a, b) => a - b)
  return cores.flatMap((core) => {
    const names = vms.flatMap((vm) => (vm.core === core ? vm.name : []))
    if (names.length < 2) return []
    return [`${names.join(', ')} share core ${core} without time slices: each trusts the others to give it back.`]
  })
}

function memguardLines({ broker, vms }: Scenario): string[] {
  if (vms.every(({ memguard }) => memguard === null)) {
    const loaded = vms.filter(({ refillsPerUs }) => refillsPerUs > 0).map(({ name }) => name)
    return loaded.length === 0 ? [] : [`No MemGuard: the cache refills of ${loaded.join(', ')} slow nobody down.`]
  }
  return [
    `MemGuard: refills are taken at an even rate while a guest runs, none in EL2; throttled cores: ${WHEN_THROTTLED[broker.memguard]}.`,
  ]
}

const WHEN_THROTTLED: Readonly<Record<Scenario['broker']['memguard'], string>> = {
  service: 'the broker is served in the waiting loop',
  interruptible: 'interrupts stay enabled',
  retarget: "the DMA's interrupt and due work go to the first VM core that is awake, or wait for the first that wakes",
  accept: 'interrupts wait for the next period',
}

/** A line for each measurement, with what it gave. */
function measurements(profile: BoardProfile): string[] {
  const { dmaBytesPerNs, dmaPrefetchedPieces } = profile
  const bySource = new Map<string, string[]>()
  for (const [name, { status, source }] of Object.entries({ ...profile.costsNs, dmaBytesPerNs, dmaPrefetchedPieces })) {
    if (status !== 'MEASURED') continue
    const names = bySource.get(source)
    if (names) names.push(name)
    else bySource.set(source, [name])
  }
  return [...bySource].map(([source, names]) => `MEASURED (${source}): ${names.join(', ')}.`)
}
