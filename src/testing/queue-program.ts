/**
 * A sequence of moves on a ring, both sides, as plain data: it can be printed, pasted into a regression test, saved and
 * replayed without the library that made it up. A move that makes no sense where it stands (nothing in flight to use) is
 * skipped, so that every part of a program is a program and shrinking works.
 */

export interface QueueProgram {
  readonly format?: 'split'
  /** 1 .. 32768, a power of two. */
  readonly size: number
  readonly eventIdx: boolean
  readonly indirect: boolean
  /** Where both indices start, when the targets can: near 65536, a short program wraps. */
  readonly startIndex: number
  readonly commands: readonly QueueCommand[]
}

/** A packed ring starts at its first slot: it is short enough to wrap. */
export interface PackedQueueProgram {
  readonly format: 'packed'
  /** 1 .. 32768. */
  readonly size: number
  readonly eventIdx: boolean
  readonly indirect: boolean
  readonly inOrder: boolean
  readonly commands: readonly QueueCommand[]
}

/** One step of a program: of the driver, of the device, or a check. */
export type QueueCommand =
  /** Driver: one chain of buffers of these lengths, `direct` of them in the ring and the rest in a table. */
  | {
      readonly op: 'add'
      readonly readable: readonly number[]
      readonly writable: readonly number[]
      readonly direct: number
    }
  | { readonly op: 'publish' }
  | { readonly op: 'needsKick' }
  | { readonly op: 'reap'; readonly count: number }
  | { readonly op: 'wantInterrupts'; readonly on: boolean }
  /** Device. */
  | { readonly op: 'take'; readonly count: number }
  /** Any chain in flight, `which` modulo their number; `writtenBytes` is capped by what it can hold. */
  | { readonly op: 'use'; readonly which: number; readonly writtenBytes: number }
  | { readonly op: 'publishUsed' }
  | { readonly op: 'needsInterrupt' }
  | { readonly op: 'wantKicks'; readonly on: boolean }
  /** Save, throw away, restore. */
  | { readonly op: 'reload'; readonly side: 'device' | 'driver' }
  /** Both sides. */
  | { readonly op: 'reset' }

/** The program as the call that runs it again. */
export function printProgram({ commands, ...ring }: QueueProgram | PackedQueueProgram): string {
  const lines = commands.map((command) => `    ${printData(command)},`)
  return ['referenceModel.compare(target, {', `  ...${printData(ring)},`, '  commands: [', ...lines, '  ],', '})'].join(
    '\n',
  )
}

/** Behind the last command everything is drained. */
export function commandAt(commands: readonly QueueCommand[], position: number): string {
  const command = commands[position]
  return command ? `command ${position} (${command.op})` : 'draining the ring at the end'
}

/** JSON with the quotes that the code style wants. */
function printData(data: object): string {
  const text = JSON.stringify(data)
    .replace(/"(\w+)":/g, '$1: ')
    .replaceAll('"', "'")
    .replaceAll(',', ', ')
  return text.replace(/^\{/, '{ ').replace(/\}$/, ' }')
}
