/** What a file of a corpus may hold: somebody may have written it by hand. */
import type { FuzzCase } from '../../testing/fuzz.ts'
import type { QueueCommand } from '../../testing/queue-program.ts'
import { flag, listOf, mistakeIn, oneOf, optional, type Shape, whole } from '../shapes.ts'

const count = whole(0)
const lengths = listOf(whole(0, 0x4000), 'whole numbers, 0 to 16384')
const any: Shape = () => null

const COMMANDS: Readonly<Record<QueueCommand['op'], Readonly<Record<string, Shape>>>> = {
  add: { readable: lengths, writable: lengths, direct: count },
  publish: {},
  needsKick: {},
  reap: { count },
  wantInterrupts: { on: flag },
  take: { count },
  use: { which: count, writtenBytes: count },
  publishUsed: {},
  needsInterrupt: {},
  wantKicks: { on: flag },
  reload: { side: oneOf('device', 'driver') },
  reset: {},
}

const FEATURES = { eventIdx: flag, indirect: flag }
const HOSTILE = { seed: count, number: count, ...FEATURES, inOrder: optional(flag) }
const powersOfTwo = Array.from({ length: 16 }, (_, i) => 2 ** i)
const SPLIT = {
  size: oneOf(...powersOfTwo),
  ...FEATURES,
  startIndex: whole(0, 0xffff),
  commands: listOf(any, 'commands'),
}
const PACKED = { size: whole(1, 32768), ...FEATURES, inOrder: flag, commands: listOf(any, 'commands') }

/** Null: `value` is a case. */
export function mistakeInCase(value: unknown): string | null {
  const kind = mistakeIn(value, { kind: oneOf('program', 'hostile') })
  if (kind !== null) return kind
  const one = value as FuzzCase
  return one.kind === 'hostile' ? mistakeIn(one, HOSTILE) : mistakeInProgram(one.program)
}

function mistakeInProgram(program: Extract<FuzzCase, { kind: 'program' }>['program']): string | null {
  const mistake =
    mistakeIn(program, { format: oneOf(undefined, 'split', 'packed') }) ??
    mistakeIn(program, program.format === 'packed' ? PACKED : SPLIT)
  if (mistake !== null) return `the program's ${mistake}`
  for (const [i, command] of program.commands.entries()) {
    const wrong =
      mistakeIn(command, { op: oneOf(...Object.keys(COMMANDS)) }) ?? mistakeIn(command, COMMANDS[command.op])
    if (wrong !== null) return `command ${i}: ${wrong}`
  }
  return null
}
