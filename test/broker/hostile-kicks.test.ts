/**
 * What a hostile guest can make the broker do without sending anything: kicks for nothing, receive buffers that it keeps back or gives one by
 * one, resets.
 */
import { describe, expect, it } from 'vitest'
import { DROP_BATCH } from '../../src/broker/index.ts'
import { CostOp } from '../../src/platform/index.ts'
import { HEADER_BYTES } from '../zero-copy/model-guest.ts'
import { PAGE } from '../zero-copy/stage-two-model.ts'
import { threeGuests } from '../zero-copy/three-guests.ts'
import type { World } from '../zero-copy/world.ts'
import { BORROWER, drain, LENDER, SENT, settle, THIRD } from './hostile-world.ts'

describe('receive buffers that are kept back', () => {
  const post = (world: World, count: number) => {
    for (let i = 0; i < count; i++) world.guests[BORROWER]!.postParts([[2 * i * PAGE, HEADER_BYTES + PAGE]])
  }

  const giveOneByOne = (world: World, count: number) => {
    const before = world.charges[CostOp.lockCriticalSection]!
    for (let posted = 0; posted < count; posted++) {
      post(world, 1)
      world.guests[BORROWER]!.kick(0)
      drain(world)
    }
    const locks = world.charges[CostOp.lockCriticalSection]! - before
    return { arrived: world.guests[BORROWER]!.usedOf(0).length, locks }
  }

  it('and then given one by one: messages go on with as many as a transfer takes, or half of what is kept posted', () => {
    const world = threeGuests({ transfer: 'copy', receiveBuffers: 8 })
    world.guests[THIRD]!.send(BORROWER, 10 * PAGE, 0, 1)
    drain(world)
    expect(world.guests[BORROWER]!.usedOf(0)).toHaveLength(2)
    for (let transfer = 0; transfer < 2; transfer++) {
      // What is not enough yet is not worth the lock.
      expect(giveOneByOne(world, 3)).toEqual({ arrived: 0, locks: 0 })
      expect(giveOneByOne(world, 1)).toMatchObject({ arrived: 4 })
    }
    expect(world.guests[THIRD]!.usedOf(1)).toHaveLength(1)
  })

  it('and kicked for as if they came: no lock is taken while somebody waits for them', () => {
    const world = threeGuests({ transfer: 'copy', receiveBuffers: 64 })
    world.guests[THIRD]!.send(BORROWER, 8 * PAGE, 0, 1)
    drain(world)
    const before = world.charges[CostOp.lockCriticalSection]!
    for (let i = 0; i < 50; i++) world.guests[BORROWER]!.kick(0)
    drain(world)
    expect(world.charges[CostOp.lockCriticalSection]).toBe(before)
  })

  it('and then given: the message is due from then on, and goes before none that is due earlier', () => {
    const world = threeGuests({ transfer: 'copy', chaining: false })
    const [hostile, third, lender] = world.guests
    // Due 40 us after it competes, the message of the hostile VM to the lender after 30, what the DMA does meanwhile after 80.
    third!.send(BORROWER, 3 * PAGE, 0, 1)
    drain(world)
    expect(hostile!.usedOf(0)).toHaveLength(2)
    world.advance(1_000_000)
    lender!.send(THIRD, 2 * PAGE, 0, 1)
    settle(world)
    post(world, 2)
    hostile!.kick(0)
    settle(world)
    hostile!.stage(LENDER, [[SENT * PAGE, PAGE]])
    hostile!.publish()
    hostile!.kick(1)
    settle(world)
    world.endDma()
    settle(world)
    world.endDma()
    settle(world)
    expect([lender!.usedOf(0).length, hostile!.usedOf(0).length]).toEqual([1, 0])
    drain(world)
    expect(hostile!.usedOf(0)).toHaveLength(1)
  })
})

describe('a doorbell that is rung for nothing', () => {
  const locks = (world: World) => world.charges[CostOp.lockCriticalSection]!

  it('is answered, and the next ones wait until the VM has rested, without the lock', () => {
    const world = threeGuests({ transfer: 'copy' })
    const before = locks(world)
    for (let i = 0; i < 20; i++) world.guests[BORROWER]!.kick(1)
    expect(locks(world)).toBe(before + 1)
    // Its next message waits for the timer, and nobody else's does.
    world.guests[BORROWER]!.send(THIRD, 100, 0, 1)
    world.guests[LENDER]!.send(THIRD, 100, 0, 1)
    drain(world)
    expect(world.guests[THIRD]!.usedOf(0)).toHaveLength(1)
    world.advance(50_000)
    drain(world)
    expect(world.guests[THIRD]!.usedOf(0)).toHaveLength(1)
  })

  it('is one for receive buffers that nobody waits for: it takes no lock at all', () => {
    const world = threeGuests({ transfer: 'copy' })
    const before = locks(world)
    for (let i = 0; i < 20; i++) world.guests[BORROWER]!.kick(0)
    expect(locks(world)).toBe(before)
  })

  it('with a message that is refused, and with one more than the flow has buffers for: nothing behind it is looked at before', () => {
    const world = threeGuests({ transfer: 'copy', toleranceNs: 0 })
    const guest = world.guests[BORROWER]!
    for (let i = 0; i < 14; i++) guest.stage(THIRD, [[SENT * PAGE, 1]])
    guest.publish()
    const before = world.charges[CostOp.fetchDescriptor]!
    guest.kick(1)
    drain(world)
    const fetched = world.charges[CostOp.fetchDescriptor]! - before
    // Four have buffers; the first of them has gone, with a receive buffer; and one is too many.
    expect(fetched).toBeLessThanOrEqual(7)
  })
})

describe('a reset', () => {
  it('again and again makes nobody send more: what waits for the VM ends a period apart', () => {
    const world = threeGuests({ transfer: 'copy', toleranceNs: 0, receiveBuffers: 8 })
    const third = world.guests[THIRD]!
    // It has two buffers: the first message waits for more, and those behind it, until all of them have had their times.
    for (let i = 0; i < 4; i++) third.send(BORROWER, 3 * PAGE, 0, 1)
    drain(world)
    world.advance(500_000)
    drain(world)
    const ended: number[] = []
    for (let i = 0; i < 3; i++) {
      world.reset(BORROWER)
      drain(world)
      ended.push(third.usedOf(1).length)
    }
    // One that waits for it, and then one for each period that it rests between two resets.
    expect(ended).toEqual([1, 1, 1])
  })

  it.each(['remap', 'lend', 'copy'] as const)(
    'with messages queued ends them in batches, under the lock (%s)',
    (transfer) => {
      const world = threeGuests({ transfer, hostile: -1, anyBytes: true })
      const [borrower, third, lender] = world.guests
      // No receive buffer is left at the borrower, and messages for it queue up at both others; and it has some for them.
      third!.send(BORROWER, 14 * PAGE, 0, 1)
      third!.send(BORROWER, 14 * PAGE, 0, 1)
      drain(world)
      for (let i = 0; i < 14; i++) {
        lender!.stage(BORROWER, [[SENT * PAGE, 100]])
        third!.stage(BORROWER, [[SENT * PAGE, 100]])
        borrower!.stage(THIRD, [[SENT * PAGE, 100]])
      }
      for (const guest of world.guests) guest.publish()
      for (const guest of world.guests) guest.kick(1)
      settle(world)
      world.mostInStep.fill(0)
      world.reset(BORROWER)
      expect(world.mostInStep[CostOp.usedRing]).toBeLessThanOrEqual(2 * DROP_BATCH)
      drain(world)
      world.checkVisible()
    },
  )
})
