/** Scenario text, YAML or JSON, to a `Scenario`: shape in `draft.ts`, meaning in `check-meaning.ts`, all mistakes at once. */
import { checkMeaning, hasSpares } from './check-meaning.ts'
import {
  type BrokerFields,
  type ChainFields,
  type CoalesceFields,
  type Draft,
  type FlowFields,
  type InterruptDraft,
  type InterruptFields,
  type MemguardFields,
  type OverrideFields,
  type RegulatorFields,
  readDraft,
  type TaskFields,
  type TopFields,
  type VmDraft,
  type VmFields,
} from './draft.ts'
import { type InputKind, type ParseOptions, readInput } from './read-input.ts'
import { INTERRUPT_PRESETS, type InterruptSpec, type RegulatorSpec, type Scenario, type VmSpec } from './scenario.ts'
import { ScenarioError } from './scenario-error.ts'

const SCENARIO: InputKind = {
  code: 'SCENARIO',
  name: 'scenario',
  keys: 'vms and flows',
  error: (file, issues) => new ScenarioError(file, issues),
}

/** Two long messages' worth of pages that need not be scrubbed in haste. */
const SPARE_PAGES = 512
const LENT_PAGES = 512
/** From here on refilling a whole TLB costs less than so many invalidations. */
const FLUSH_PAGES = 64

/** Throws a `ScenarioError` that lists everything that is wrong; reads no file. */
export function parseScenario(source: string, options: ParseOptions = {}): Scenario {
  const draft = readInput(source, options, SCENARIO, (raw, report) => {
    const found = readDraft(raw, report)
    checkMeaning(found, report)
    return found
  })
  return complete(draft)
}

/** A draft without issues has every key. */
function complete(draft: Draft): Scenario {
  const top = draft.top as TopFields
  const broker = draft.broker as BrokerFields
  return {
    platform: top.platform,
    calibration: top.calibration,
    seed: top.seed,
    durationNs: top.duration,
    costs: top.costs,
    vms: draft.vms.map(completeVm),
    flows: (draft.flows as FlowFields[]).map((flow) => ({
      name: flow.name,
      from: flow.from,
      to: flow.to,
      periodNs: flow.period,
      deadlineNs: flow.deadline ?? flow.period,
      lengthBytes: flow.length,
      payload: flow.payload,
      jitterNs: flow.jitter,
      offsetNs: flow.offset,
      priority: flow.priority,
      creditBytes: flow.credit,
      after: flow.after,
      computeNs: flow.compute ?? 0,
      ...(flow.releases === null ? {} : { releases: flow.releases.replace(/^file:/, '') }),
    })),
    chains: draft.chains.map((chain) => ({
      name: (chain as ChainFields).name,
      flows: chain.flows as string[],
      deadlineNs: (chain as ChainFields).deadline,
    })),
    broker: {
      placement: broker.placement,
      dedicatedCore: broker.dedicatedCore,
      scheduler: broker.scheduler,
      chunkBytes: broker.chunk,
      toleranceNs: broker.tolerance,
      regulator: completeRegulator(draft.regulator as RegulatorFields[keyof RegulatorFields]),
      transfer: broker.transfer,
      remapThresholdBytes: broker.remapThreshold,
      colorPolicy: broker.colorPolicy,
      poolColors: broker.poolColors ?? (broker.colorPolicy === 'pool' ? 1 : 0),
      sparePages: broker.sparePages ?? (hasSpares(broker) ? SPARE_PAGES : 0),
      lentPages: broker.lentPages ?? LENT_PAGES,
      flushPages: broker.flushPages ?? FLUSH_PAGES,
      memguard: broker.memguard,
      interrupts: completeInterrupts(draft.interrupts),
      chaining: broker.chaining,
    },
    overrides: draft.overrides as OverrideFields,
  }
}

function completeVm(draft: VmDraft): VmSpec {
  const vm = draft as VmFields
  const memguard = draft.memguard as MemguardFields | null
  return {
    name: vm.name,
    core: vm.core,
    cid: vm.cid,
    ramBytes: vm.ram,
    queueSize: vm.queue,
    colors: vm.colors,
    buffers: vm.buffers,
    memguard: memguard && { refills: memguard.refills, periodNs: memguard.period },
    refillsPerUs: vm.refillsPerUs,
    trusted: vm.trusted,
    tasks: (draft.tasks as TaskFields[]).map((task) => ({
      name: task.name,
      periodNs: task.period,
      wcetNs: task.wcet,
      deadlineNs: task.deadline ?? task.period,
      priority: task.priority,
    })),
  }
}

function completeInterrupts(draft: InterruptDraft): InterruptSpec {
  if (draft.preset !== 'custom') return INTERRUPT_PRESETS[draft.preset]
  const { eventIdx, lazyReclaim, suppressRefill, waitForShort, polling } = draft as InterruptFields
  const coalesce = draft.coalesce as CoalesceFields | null
  return {
    preset: 'custom',
    eventIdx,
    lazyReclaim,
    suppressRefill,
    waitForShort,
    pollingNs: polling ?? 0,
    coalesceCount: coalesce?.count ?? 1,
    coalesceDelayNs: coalesce?.delay ?? 0,
  }
}

function completeRegulator(fields: RegulatorFields[keyof RegulatorFields]): RegulatorSpec {
  switch (fields.kind) {
    case 'none':
      return { kind: 'none' }
    case 'rate':
      return { kind: 'rate', bytesPerNs: fields.bytesPerNs }
    case 'bucket':
      return { kind: 'bucket', bytesPerNs: fields.bytesPerNs, burstBytes: fields.burst }
    case 'budget':
      return { kind: 'budget', budgetNs: fields.budget, periodNs: fields.period }
  }
}
