/**
 * What a scenario's keys must mean together: names that exist, cores and cids that are taken once, times that can work.
 * Runs on a draft, so that a mistake in one key does not hide those in others.
 */

import { oneOf } from '../internal/suggest.ts'
import { checkChains, checkOrder } from './check-chains.ts'
import type { Draft, FlowFields, VmDraft } from './draft.ts'
import { show } from './fields.ts'
import { formatPath, type Report } from './read-fields.ts'
import type { Path } from './source-text.ts'
import { formatTime } from './units.ts'

/** A typing mistake in a period should not keep a machine busy for a week. */
const MAX_MESSAGES = 10_000_000

/** virtio 1.4 §5.10.4 and the well-known VMADDR_CID values. */
const RESERVED_CIDS: ReadonlyMap<number, string> = new Map([
  [0, 'the hypervisor'],
  [1, 'the local VM'],
  [2, 'the host'],
  [0xffff_ffff, 'any VM'],
])

export function checkMeaning(draft: Draft, report: Report): void {
  unique(draft.vms, ['vms'], 'name', report)
  unique(draft.vms, ['vms'], 'cid', report)
  unique(draft.flows, ['flows'], 'name', report)
  unique(draft.chains, ['chains'], 'name', report)
  draft.vms.forEach((vm, i) => {
    checkVm(vm, ['vms', i], draft, report)
  })
  checkSharedCores(draft, report)
  draft.flows.forEach((flow, i) => {
    checkFlow(flow, ['flows', i], draft, report)
  })
  checkOrder(draft, report)
  checkChains(draft, report)
  checkRegulator(draft, report)
  checkTransfer(draft, report)
  checkInterrupts(draft, report)
  checkOverrides(draft, report)
  checkAmount(draft, report)
}

function unique<T extends object>(items: readonly T[], list: Path, key: keyof T & string, report: Report): void {
  const first = new Map<unknown, number>()
  items.forEach((item, i) => {
    const value = item[key]
    if (value === undefined) return
    const earlier = first.get(value)
    if (earlier === undefined) first.set(value, i)
    else
      report.value(
        [...list, i, key],
        value,
        `${show(value)} is already the ${key} of ${formatPath([...list, earlier])}`,
        `choose another ${key}`,
      )
  })
}

function checkVm(vm: VmDraft, path: Path, { broker }: Draft, report: Report): void {
  const reserved = vm.cid === undefined ? undefined : RESERVED_CIDS.get(vm.cid)
  if (reserved) report.value([...path, 'cid'], vm.cid, `${vm.cid} means ${reserved}`, 'use a cid from 3 to 4294967294')
  if (broker.placement === 'dedicated' && vm.core !== undefined && vm.core === broker.dedicatedCore) {
    const fix = 'move the VM, choose another dedicatedCore, or use placement: floating'
    report.value([...path, 'core'], vm.core, `core ${vm.core} belongs to the dedicated broker`, fix)
  }
  unique(vm.tasks, [...path, 'tasks'], 'name', report)
  vm.tasks.forEach(({ wcet, deadline, period }, i) => {
    const due = deadline ?? period
    if (wcet === undefined || due === undefined || wcet <= due) return
    const message = `a wcet of ${formatTime(wcet)} does not fit the deadline of ${formatTime(due)}`
    report.value([...path, 'tasks', i, 'wcet'], wcet, message, 'make it at most the deadline')
  })
}

function checkFlow(flow: Partial<FlowFields>, path: Path, draft: Draft, report: Report): void {
  const names = draft.vms.flatMap((vm) => vm.name ?? [])
  // With no VM at all, or one whose name is broken or doubled, flows would be reported for somebody else's mistake.
  const namesKnown = names.length > 0 && new Set(names).size === draft.vms.length
  for (const end of ['from', 'to'] as const) {
    const vm = flow[end]
    if (vm === undefined) continue
    if (namesKnown && !names.includes(vm)) {
      report.value([...path, end], vm, `${show(vm)} is not the name of a VM`, oneOf(vm, names))
    }
    checkRoom(
      flow,
      path,
      draft.vms.find((candidate) => candidate.name === vm),
      report,
    )
  }
  if (flow.from !== undefined && flow.from === flow.to) {
    report.value([...path, 'to'], flow.to, `${show(flow.to)} is also where the flow comes from`, 'send to another VM')
  }
  const deadline = flow.deadline ?? flow.period
  if (flow.jitter !== undefined && deadline !== undefined && flow.jitter >= deadline) {
    const message = `a jitter of ${formatTime(flow.jitter)} leaves nothing of the deadline of ${formatTime(deadline)}`
    report.value([...path, 'jitter'], flow.jitter, message, 'make the jitter smaller or the deadline longer')
  }
  if (flow.releases && flow.offset) {
    const message = 'the times of the file count from the start of the run'
    report.value([...path, 'offset'], flow.offset, message, 'leave the offset out, or add it to the times')
  }
  checkCredit(flow, path, report)
  const duration = draft.top.duration
  if (flow.offset !== undefined && duration !== undefined && flow.offset >= duration) {
    const message = `${formatTime(flow.offset)} is after the end of the run at ${formatTime(duration)}`
    report.value([...path, 'offset'], flow.offset, message, 'make the offset smaller or the duration longer')
  }
}

/** VMs may share a core, and with it what MemGuard grants the core. */
function checkSharedCores({ vms }: Draft, report: Report): void {
  vms.forEach(({ core, memguard }, i) => {
    const first = vms.findIndex((vm) => vm.core === core)
    const other = vms[first]?.memguard
    if (core === undefined || memguard === null || other === undefined) return
    if (other?.refills === memguard.refills && other?.period === memguard.period) return
    const message = `a core has one budget, and that of vms[${first}] on core ${core} is another`
    report.value(['vms', i, 'memguard'], memguard, message, 'make both the same')
  })
}

/** A message is one packet, which has to fit what the receiver announces. */
function checkCredit({ length, credit }: Partial<FlowFields>, path: Path, report: Report): void {
  if (length === undefined || credit === undefined || credit >= length) return
  const message = `a credit of ${credit} bytes never lets a message of ${length} bytes go`
  report.value([...path, 'credit'], credit, message, `make it at least ${length}`)
}

function checkRoom(flow: Partial<FlowFields>, path: Path, vm: VmDraft | undefined, report: Report): void {
  if (flow.length === undefined || typeof vm?.ram !== 'number' || flow.length < vm.ram) return
  const message = `a message of ${flow.length} bytes does not fit the ${vm.ram} bytes of ${vm.name}`
  report.value([...path, 'length'], flow.length, message, 'shorten the message or give the VM more ram')
}

function checkRegulator({ regulator }: Draft, report: Report): void {
  if (regulator.kind !== 'budget' || regulator.budget === undefined || regulator.period === undefined) return
  if (regulator.budget <= regulator.period) return
  const message = `a budget of ${formatTime(regulator.budget)} does not fit the period of ${formatTime(regulator.period)}`
  report.value(['broker', 'regulator', 'budget'], regulator.budget, message, 'make it at most the period')
}

/** Whether the exchange pool can have pages that are no VM's. */
export function hasSpares({ colorPolicy, transfer }: Draft['broker']): boolean {
  return colorPolicy === 'pool' && (transfer === 'remap' || transfer === 'auto')
}

/** Keys that say how pages change owners, where none does. */
function checkTransfer({ broker }: Draft, report: Report): void {
  const { transfer, colorPolicy, poolColors, sparePages, lentPages } = broker
  for (const key of ['remapThreshold', 'flushPages'] as const) {
    if (transfer !== 'copy' || typeof broker[key] !== 'number') continue
    const message = 'nothing is remapped where transfer is copy'
    report.value(['broker', key], broker[key], message, 'use transfer: auto, or leave it out')
  }
  if (transfer !== undefined && transfer !== 'lend' && typeof lentPages === 'number') {
    const message = `no pages are lent where transfer is ${transfer}`
    report.value(['broker', 'lentPages'], lentPages, message, 'use transfer: lend, or leave it out')
  }
  if (typeof sparePages === 'number' && sparePages > 0 && !hasSpares(broker)) {
    const message = 'the exchange pool has pages of its own only where pages of reserved colours are exchanged'
    report.value(
      ['broker', 'sparePages'],
      sparePages,
      message,
      'use transfer: auto and colorPolicy: pool, or leave it out',
    )
  }
  if (colorPolicy !== undefined && colorPolicy !== 'pool' && typeof poolColors === 'number') {
    const message = `no colours are reserved where colorPolicy is ${colorPolicy}`
    report.value(['broker', 'poolColors'], poolColors, message, 'use colorPolicy: pool, or leave it out')
  }
}

function checkInterrupts({ interrupts, top, vms }: Draft, report: Report): void {
  const { polling, coalesce } = interrupts
  if (typeof polling !== 'number') return
  const path = ['broker', 'interrupts']
  if (coalesce !== null) {
    const message = 'a receiver that polls has no interrupts to coalesce'
    report.value([...path, 'coalesce'], coalesce, message, 'choose one of polling and coalesce')
  }
  const polls = Math.floor((top.duration ?? 0) / polling) * vms.length
  if (polls <= MAX_MESSAGES) return
  const message = `${formatTime(top.duration ?? 0)} of polling every ${formatTime(polling)} are ${polls} polls`
  report.value([...path, 'polling'], polling, message, `poll less often: at most ${MAX_MESSAGES} times`)
}

function checkOverrides({ overrides }: Draft, report: Report): void {
  const range = overrides.chunkOverheadNs
  if (!range || range[0] <= range[1]) return
  const message = `the best case of ${formatTime(range[0])} is worse than the worst of ${formatTime(range[1])}`
  report.value(['overrides', 'chunkOverheadNs'], range, message, 'write the smaller time first')
}

function checkAmount(draft: Draft, report: Report): void {
  const duration = draft.top.duration
  if (duration === undefined) return
  let messages = 0
  for (const { period, offset } of draft.flows) {
    if (period !== undefined) messages += Math.max(0, Math.ceil((duration - (offset ?? 0)) / period))
  }
  if (messages <= MAX_MESSAGES) return
  const fix = `use a shorter duration or longer periods: at most ${MAX_MESSAGES} messages`
  report.value(['duration'], duration, `${formatTime(duration)} of these flows are ${messages} messages`, fix)
}
