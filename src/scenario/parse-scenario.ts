/** Scenario text, YAML or JSON, to a `Scenario`: shape in `draft.ts`, meaning in `check-meaning.ts`, all mistakes at once. */
import { checkMeaning } from './check-meaning.ts'
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
import { show } from './fields.ts'
import { Report } from './read-fields.ts'
import { INTERRUPT_PRESETS, type InterruptSpec, type RegulatorSpec, type Scenario, type VmSpec } from './scenario.ts'
import { ScenarioError } from './scenario-error.ts'
import { readSourceText } from './source-text.ts'

export interface ParseOptions {
  /** What the text is called in messages; its ending also tells the format. */
  readonly path?: string
  /** Default: `json` for a path that ends in .json, else `yaml`. */
  readonly format?: 'yaml' | 'json'
}

/** Throws a `ScenarioError` that lists everything that is wrong; reads no file. */
export function parseScenario(source: string, options: ParseOptions = {}): Scenario {
  const file = options.path ?? 'scenario'
  const format = options.format ?? (file.toLowerCase().endsWith('.json') ? 'json' : 'yaml')
  const text = readSourceText(source, format)
  if (text.errors.length > 0) throw new ScenarioError(file, text.errors)

  const report = new Report(text)
  if (typeof text.value !== 'object' || text.value === null || Array.isArray(text.value)) {
    const message =
      text.value === undefined || text.value === null ? 'the file is empty' : `${show(text.value)} is not a scenario`
    report.value([], text.value, message, 'write keys and values, at least vms and flows')
    throw new ScenarioError(file, report.issues)
  }
  const draft = readDraft(text.value, report)
  checkMeaning(draft, report)
  if (report.issues.length > 0) {
    throw new ScenarioError(
      file,
      report.issues.toSorted((a, b) => a.line - b.line || a.column - b.column),
    )
  }
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
      regulator: completeRegulator(draft.regulator as RegulatorFields[keyof RegulatorFields]),
      transfer: broker.transfer,
      remapThresholdBytes: broker.remapThreshold,
      colorPolicy: broker.colorPolicy,
      poolColors: broker.poolColors ?? (broker.colorPolicy === 'pool' ? 1 : 0),
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
