/**
 * Programs for `referenceModel.compare`, made up and shrunk by fast-check: an optional peer dependency, which `testing` needs
 * and this file alone imports. Plain arrays of data instead of `fc.commands`, so that a counterexample is a program.
 */

import * as fc from 'fast-check'
import { checkFlags, checkInteger, checkObject, checkPowerOfTwo, checkWord, MAX_U32 } from '../internal/check-option.ts'
import type { PackedQueueProgram, QueueCommand, QueueProgram } from './queue-program.ts'

/** Which programs over a split ring to draw. */
export interface QueueCommandOptions {
  /** Which ring format. */
  readonly ring: 'split'
  /** Fixed, or any of 1, 2, 4, 8, 16. */
  readonly size?: number
  /** Fixed, or either. */
  readonly eventIdx?: boolean
  readonly indirect?: boolean
  /** Commands of a program; default up to 100. */
  readonly minCommands?: number
  readonly maxCommands?: number
}

/** Which programs over a packed ring to draw. */
export interface PackedQueueCommandOptions extends Omit<QueueCommandOptions, 'ring'> {
  readonly ring: 'packed'
  /** Fixed, or any of 1 to 8 and 16: any number is a size (IMP-VQP-15). */
  readonly size?: number
  readonly inOrder?: boolean
}

/** An arbitrary of fast-check: random programs, which shrink to short ones. */
export function queueCommands(options: PackedQueueCommandOptions): fc.Arbitrary<PackedQueueProgram>
export function queueCommands(options: QueueCommandOptions): fc.Arbitrary<QueueProgram>
export function queueCommands(
  options: QueueCommandOptions | PackedQueueCommandOptions,
): fc.Arbitrary<QueueProgram | PackedQueueProgram> {
  checkObject('options', options)
  checkWord('ring', options.ring, ['split', 'packed'])
  checkFlags(options as PackedQueueCommandOptions, 'eventIdx', 'indirect', 'inOrder')
  const { size: fixedSize = 1, minCommands = 0, maxCommands = 0 } = options
  if (options.ring === 'split') checkPowerOfTwo('size', fixedSize, 1, 32768, 'entries')
  else checkInteger('size', fixedSize, 1, 32768, 'entries')
  checkInteger('minCommands', minCommands, 0, MAX_U32)
  checkInteger('maxCommands', maxCommands, 0, MAX_U32)
  const anySize = options.ring === 'split' ? [1, 2, 4, 8, 16] : [1, 2, 3, 4, 5, 6, 7, 8, 16]
  const sizes = options.size === undefined ? fc.constantFrom(...anySize) : fc.constant(options.size)
  const length = {
    minLength: options.minCommands ?? 0,
    maxLength: Math.max(options.maxCommands ?? 100, options.minCommands ?? 0),
    size: 'max' as const,
  }
  const either = (fixed: boolean | undefined) => (fixed === undefined ? fc.boolean() : fc.constant(fixed))
  return sizes.chain((size): fc.Arbitrary<QueueProgram | PackedQueueProgram> => {
    const ring = {
      size: fc.constant(size),
      eventIdx: either(options.eventIdx),
      indirect: either(options.indirect),
    }
    const commands = fc.array(queueCommand(size), length)
    if (options.ring === 'packed') {
      return fc.record({ format: fc.constant('packed' as const), ...ring, inOrder: either(options.inOrder), commands })
    }
    const startIndex = fc.oneof(fc.constant(0), fc.integer({ min: 0xffff - 2 * size, max: 0xffff }))
    return fc.record({ ...ring, startIndex, commands })
  })
}

/** Adds and takes outweigh the rest, so that rings fill, and a reset is rare enough for something to build up between two. */
function queueCommand(size: number): fc.Arbitrary<QueueCommand> {
  const bufferLength = fc.oneof(
    { weight: 8, arbitrary: fc.integer({ min: 1, max: 64 }) },
    { weight: 1, arbitrary: fc.constant(0) },
  )
  const few = fc.integer({ min: 1, max: Math.min(size, 4) })
  const bufferCount = fc.oneof(
    { weight: 9, arbitrary: few },
    { weight: 1, arbitrary: fc.integer({ min: 1, max: size }) },
  )
  const add = bufferCount.chain((count) =>
    fc.record({
      lengths: fc.array(bufferLength, { minLength: count, maxLength: count }),
      readable: fc.nat(count),
      direct: fc.oneof(fc.constant(count), fc.nat(count)),
    }),
  )
  const counted = fc.oneof(fc.constant(1), fc.integer({ min: 1, max: size + 1 }))
  return fc.oneof<fc.WeightedArbitrary<QueueCommand>[]>(
    {
      weight: 12,
      arbitrary: add.map(({ lengths, readable, direct }) => ({
        op: 'add',
        readable: lengths.slice(0, readable),
        writable: lengths.slice(readable),
        direct,
      })),
    },
    { weight: 8, arbitrary: fc.constant({ op: 'publish' }) },
    { weight: 4, arbitrary: fc.constant({ op: 'needsKick' }) },
    { weight: 8, arbitrary: counted.map((count) => ({ op: 'take', count })) },
    { weight: 12, arbitrary: fc.record({ op: fc.constant('use'), which: fc.nat(31), writtenBytes: fc.nat(300) }) },
    { weight: 8, arbitrary: fc.constant({ op: 'publishUsed' }) },
    { weight: 4, arbitrary: fc.constant({ op: 'needsInterrupt' }) },
    { weight: 8, arbitrary: counted.map((count) => ({ op: 'reap', count })) },
    { weight: 3, arbitrary: fc.record({ op: fc.constant('wantKicks'), on: fc.boolean() }) },
    { weight: 3, arbitrary: fc.record({ op: fc.constant('wantInterrupts'), on: fc.boolean() }) },
    { weight: 2, arbitrary: fc.record({ op: fc.constant('reload'), side: fc.constantFrom('device', 'driver') }) },
    { weight: 1, arbitrary: fc.constant({ op: 'reset' }) },
  )
}
