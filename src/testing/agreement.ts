/** When a target's answer is the specification's, and both in words. */
import { PACKED_RING_RULES } from './format/packed/reference-packed-ring.ts'
import type { SpecifiedAvailable, SpecifiedUsed } from './format/ring-format.ts'
import { hex } from './format/split/draw-ring.ts'
import { append, type ByteRange, RING_RULES } from './format/split/reference-split-ring.ts'
import type { TakenChain, TargetFault, UsedElement } from './queue-targets.ts'

/** Is the target's result the answer `expected`? */
export function agrees(result: TakenChain | TargetFault | null, expected: SpecifiedAvailable): boolean {
  if (result === null) return expected.kind === 'nothing'
  if (result.kind === 'chain') return expected.kind === 'chain' && sameChain(result, expected)
  if (result.returned && (expected.kind === 'nothing' || result.id !== expected.id)) return false
  if (expected.kind === 'chain') return expected.mayRefuse
  if (expected.kind === 'nothing') return false
  return namesRule(result, expected.rules)
}

/** The same for a driver that reaped. */
export function agreesOnUsed(result: UsedElement | TargetFault | null, expected: SpecifiedUsed): boolean {
  if (result === null) return expected.kind === 'nothing'
  if (result.kind === 'used') {
    return expected.kind === 'used' && result.id === expected.id && result.writtenBytes === expected.writtenBytes
  }
  return expected.kind === 'fault' && namesRule(result, expected.rules)
}

/** A rule of ours must be the right one; another vocabulary is taken at its word. */
function namesRule({ rule }: TargetFault, expected: readonly string[]): boolean {
  return !(rule in RING_RULES || rule in PACKED_RING_RULES) || expected.includes(rule)
}

type Understood = Pick<TakenChain, 'id' | 'readable' | 'writable'>

export function sameChain(chain: Understood, expected: Understood): boolean {
  return (
    chain.id === expected.id &&
    sameRanges(chain.readable, expected.readable) &&
    sameRanges(chain.writable, expected.writable)
  )
}

/** VQS-FRM-DEV-01: the same bytes in the same order, however they are cut. */
export function sameRanges(actual: readonly ByteRange[], expected: readonly ByteRange[]): boolean {
  const merged: ByteRange[] = []
  for (const { address, length } of actual) append(merged, address, length)
  return (
    merged.length === expected.length &&
    merged.every((range, i) => range.address === expected[i]!.address && range.length === expected[i]!.length)
  )
}

export function describe(
  outcome: TakenChain | UsedElement | TargetFault | SpecifiedAvailable | SpecifiedUsed | null,
): string {
  if (outcome === null || outcome.kind === 'nothing') return 'nothing'
  if (outcome.kind === 'fault') {
    const rules = 'rule' in outcome ? outcome.rule : outcome.rules.join(' / ')
    return `a fault (${rules}${outcome.id >= 0 ? `, head ${outcome.id}` : ''})`
  }
  if (outcome.kind === 'used') return `used element { id: ${outcome.id}, len: ${outcome.writtenBytes} }`
  const ranges = (list: readonly ByteRange[]) =>
    list.map(({ address, length }) => `${hex(address)}+${length}`).join(' ')
  return `chain ${outcome.id} (R ${ranges(outcome.readable)} · W ${ranges(outcome.writable)})`
}
