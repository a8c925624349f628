/** Commands as numbers, so that a failing list shrinks: what a world does with them, and how it comes to rest. */
import fc from 'fast-check'
import { expect } from 'vitest'
import { MemoryError } from '../../src/memory/index.ts'
import { PageState } from '../../src/zero-copy/index.ts'
import { MAX_VMS } from './byte-classes.ts'
import type { ModelGuest } from './model-guest.ts'
import { type Fault, World, type WorldOptions } from './world.ts'

export type Command = readonly [what: number, a: number, b: number, c: number]

export const seeds = fc.nat(1_000_000)
export const commandLists = fc.array(
  fc.tuple(fc.nat(99), fc.nat(1000), fc.nat(1 << 20), fc.nat(1 << 20)) as fc.Arbitrary<Command>,
  { minLength: 10, maxLength: 90 },
)

export interface Setting {
  readonly seed: number
  readonly commands: readonly Command[]
  readonly hostile?: number
  readonly resets?: boolean
  readonly fault?: Fault
  /** Default: chosen by the seed. */
  readonly transfer?: WorldOptions['transfer']
}

export function optionsOf({ seed, hostile = -1, fault, transfer }: Setting): WorldOptions {
  const pick = <T>(shift: number, of: readonly T[]): T => of[Math.floor(seed / shift) % of.length]!
  return {
    seed,
    transfer: transfer ?? pick(1, ['remap', 'lend', 'auto']),
    colors: pick(3, ['accept', 'pool', 'accept', 'refuse', 'pool']),
    thresholdPages: pick(5, [1, 1, 2, 3]),
    flushPages: pick(7, [64, 2, 3]),
    lentPages: pick(11, [512, 5]),
    chaining: pick(13, [true, false]),
    hostile,
    aligned: [0, 1, 2].map((vm) => (seed >> vm) % 4 !== 3),
    ...(fault === undefined ? {} : { fault }),
  }
}

/** Runs the commands, lets everything come to rest, and checks all along. Throws what does not hold. */
export function runWorld(setting: Setting): World {
  const world = new World(optionsOf(setting))
  for (const guest of world.guests) guest.peers = world.guests
  for (const command of setting.commands) {
    act(world, command, setting.resets === true)
    world.check()
    world.checkVisible()
  }
  rest(world)
  return world
}

function act(world: World, [what, a, b, c]: Command, resets: boolean): void {
  const vm = a % MAX_VMS
  const guest = world.guests[vm]!
  const { random } = world
  if (what < 25) {
    world.finishSteps(vm)
    const to = (vm + 1 + (b % (MAX_VMS - 1))) % MAX_VMS
    send(guest, to, lengthOf(c), b)
  } else if (what < 40) {
    world.finishSteps(vm)
    guest.read(1 + (b % 8), c % 4 === 0, random)
  } else if (what < 45) {
    world.finishSteps(vm)
    guest.giveBack()
  } else if (what < 52) {
    world.finishSteps(vm)
    guest.reclaim()
  } else if (what < 62) world.endDma()
  else if (what < 86) world.resume(vm)
  else if (what < 91) world.advance(b % 40_000)
  else if (what < 96 || !resets) {
    const attacker = world.guests[world.options.hostile]
    if (attacker !== undefined) {
      world.finishSteps(attacker.vm)
      attacker.attack(random)
    }
  } else world.reset(vm)
}

/** A hostile guest may find that it has lent away the page where it wants to write. */
function send(guest: ModelGuest, to: number, length: number, b: number): void {
  try {
    guest.send(to, length, b, 1 + (b % 3))
  } catch (error) {
    if (!(guest.isHostile && error instanceof MemoryError)) throw error
  }
}

/** From nothing to ten pages, often next to a multiple of a page. */
function lengthOf(c: number): number {
  const near = (1 + (c % 10)) * 4096
  switch (Math.floor(c / 8) % 4) {
    case 0:
      return near
    case 1:
      return near - 2 + (Math.floor(c / 32) % 5)
    case 2:
      return 1 + (c % 41_000)
    default:
      return c % 300
  }
}

function rest(world: World): void {
  const honest = world.guests.filter((guest) => !guest.isHostile)
  const waiting = () =>
    honest.reduce((sum, { sent, outstanding }) => {
      const expected = honest.reduce((n, { vm }) => n + sent[vm]!.length, 0)
      return sum + expected + outstanding
    }, 0)
  for (let round = 0; round < 60 && (round < 4 || waiting() > 0); round++) {
    for (let core = 0; core < MAX_VMS; core++) world.finishSteps(core)
    world.endDma()
    for (const guest of honest) {
      world.finishSteps(guest.vm)
      guest.read(64, false, world.random)
      world.finishSteps(guest.vm)
      guest.reclaim()
    }
    world.advance(60_000)
    world.check()
  }
  for (let core = 0; core < MAX_VMS; core++) world.finishSteps(core)
  world.checkVisible()
  const toHostile = world.options.hostile >= 0
  for (const guest of honest) {
    for (const { vm } of honest) {
      expect(guest.sent[vm], `messages from ${guest.vm} to ${vm} that never arrived`).toEqual([])
    }
    // A hostile receiver may leave messages waiting for receive buffers; it never keeps pages.
    if (!toHostile) expect(guest.outstanding, `transmit buffers of ${guest.vm} that never came back`).toBe(0)
  }
  const { zeroCopy } = world
  if (zeroCopy === null) return
  for (let frame = 0; frame < world.bytes.length / 4096; frame++) {
    const state = zeroCopy.ledger.stateOf(frame)
    expect(
      state === PageState.owned || state === PageState.offered || state === PageState.spare,
      `frame ${frame}`,
    ).toBe(true)
  }
}
