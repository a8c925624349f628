/**
 * What a target answers, before anybody believes it: it may be written in JavaScript, or come from another process, where no
 * compiler has looked at it.
 */
import { inWords } from '../internal/in-words.ts'
import type { TakenChain, TargetFault, UsedElement } from './queue-targets.ts'

/** An answer that is none. Reads on its own: `take answered undefined; it must answer …`. */
export class OddAnswer extends Error {
  override readonly name = 'OddAnswer'
}

/** The answer of `take`. Throws `OddAnswer`. */
export function takenOf(answer: TakenChain | TargetFault | null): TakenChain | TargetFault | null {
  if (answer === null || isFault(answer)) return answer
  const isChain = isObject(answer) && answer.kind === 'chain' && isWhole(answer.id)
  if (isChain && isRanges(answer.readable) && isRanges(answer.writable)) return answer
  throw odd('take', answer, "null, { kind: 'chain', id, readable, writable }, or { kind: 'fault', id, rule, returned }")
}

/** The answer of `reap`. Throws `OddAnswer`. */
export function reapedOf(answer: UsedElement | TargetFault | null): UsedElement | TargetFault | null {
  if (answer === null || isFault(answer)) return answer
  if (isObject(answer) && answer.kind === 'used' && isWhole(answer.id) && isWhole(answer.writtenBytes)) return answer
  throw odd('reap', answer, "null, { kind: 'used', id, writtenBytes }, or { kind: 'fault', id, rule, returned }")
}

/** The answer of `add`. Throws `OddAnswer`. */
export function addedOf(answer: number): number {
  if (isWhole(answer)) return answer
  throw odd('add', answer, 'the head of the chain, or -1 when there is no room')
}

function isFault(answer: unknown): answer is TargetFault {
  return isObject(answer) && answer.kind === 'fault' && isWhole(answer.id) && typeof answer.rule === 'string'
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function isWhole(value: unknown): value is number {
  return Number.isInteger(value)
}

function isRanges(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.every((range) => isObject(range) && typeof range.address === 'number' && typeof range.length === 'number')
  )
}

function odd(call: string, answer: unknown, due: string): OddAnswer {
  return new OddAnswer(`${call} answered ${inWords(answer, MOST_LETTERS)}; it must answer ${due}`)
}

const MOST_LETTERS = 80

/** What went wrong in a call of the target, whatever it threw. */
export function failureOf(call: string, thrown: unknown): string {
  return thrown instanceof OddAnswer ? thrown.message : `${call} threw ${inWords(thrown, MOST_LETTERS)}`
}

const ASYNC = 'a promise; every call of a queue is synchronous: it must answer when it is done'

/** What a call answered. Throws `OddAnswer` for a promise: nobody would wait for it, and what it throws would be lost. */
export function notAsync<T>(call: string, result: T): T {
  if (!isObject(result) || typeof result.then !== 'function') return result
  silence(result)
  throw new OddAnswer(`${call} answered ${ASYNC}`)
}

/** What becomes of it is told by the verdict. */
export function silence(promise: object): void {
  Promise.resolve(promise).catch(() => {})
}

/** The same queue, whose calls throw `OddAnswer` for a promise. */
export function synchronous<Queue extends object>(queue: Queue): Queue {
  return new Proxy(queue, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target)
      if (typeof member !== 'function') return member
      return (...given: unknown[]) => notAsync(String(name), member.apply(target, given))
    },
  })
}
