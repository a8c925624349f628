/** Scenario text, YAML or JSON, to a `Scenario`: shape in `draft.ts`, meaning in `check-meaning.ts`, all mistakes at once. */
import { checkMeaning } from './check-meaning.ts'
import {
  type BrokerFields,
  type Draft,
  type FlowFields,
  type OverrideFields,
  type RegulatorFields,
  readDraft,
  type TopFields,
  type VmFields,
} from './draft.ts'
import { show } from './fields.ts'
import { Report } from './read-fields.ts'
import type { RegulatorSpec, Scenario } from './scenario.ts'
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
  const { dedicatedCore, placement, scheduler, chunk, transfer, interrupts, chaining } = draft.broker as BrokerFields
  return {
    platform: top.platform,
    seed: top.seed,
    durationNs: top.duration,
    costs: top.costs,
    vms: (draft.vms as VmFields[]).map((vm) => ({
      name: vm.name,
      core: vm.core,
      cid: vm.cid,
      ramBytes: vm.ram,
      queueSize: vm.queue,
    })),
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
    })),
    broker: {
      placement,
      dedicatedCore,
      scheduler,
      chunkBytes: chunk,
      regulator: completeRegulator(draft.regulator as RegulatorFields[keyof RegulatorFields]),
      transfer,
      interrupts,
      chaining,
    },
    overrides: draft.overrides as OverrideFields,
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
