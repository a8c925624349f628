/**
 * Pending events of a simulation in total order: time, then priority (smaller first), then the order of `schedule`.
 *
 * A calendar queue [Brown 1988, CACM 31(10)]: time is cut into days of 2^k ns and day d is kept in bucket d mod bucketCount.
 * A bucket lists its distinct (time, priority) in order, and each of them heads a ring of its equals in order of arrival, so
 * that ties cost nothing. Events of later years share the buckets and sort behind: there is no overflow list.
 *
 *   occupied   1  0  0  1  1  0 ..   one bit a bucket, searched 32 days at a time from the day of `now`
 *              |        |  |
 *   heads      x        x  x -> y    y: later than x, on the same day or in a later year
 *                       |
 *                       x'           x': time and priority of x, scheduled after x
 *
 * Departures from Brown: the number of buckets follows the number of pending events, but the length of a day follows measured
 * cost. Searching empty days asks for longer ones, passing other events of a bucket for shorter ones. Nothing is sampled, so
 * clusters and far-away timers cannot mislead it, and a rebuild is paid for by the steps that led to it. No sequence number is
 * stored: the rings keep it.
 *
 * Arrays of one field each, and few module constants: bundlers turn `const` into `var`, which V8 loads at every use.
 */

import { assert } from '../internal/assert.ts'
import { checkInteger, checkObject } from '../internal/check-option.ts'

/** Slots are numbered below this; a handle is `generation * SLOT_LIMIT + slot`, a safe integer. */
const SLOT_LIMIT = 2 ** 20
const NONE = -1
/** Handles start above 2^32, so that V8 sees doubles from the first on and does not recompile when they outgrow an int32. */
const FIRST_GENERATION = 2 ** 12
/** `#later` of a slot in a ring behind its head. */
const MEMBER = -2

/** Buckets are plenty: an operation mostly finds its bucket empty or its event alone, which the processor predicts. */
const BUCKETS_PER_EVENT = 16
const MIN_BUCKETS = 64
const MAX_BUCKETS = 2 ** 20
const INITIAL_DAY_LOG2 = 8
const MAX_DAY_LOG2 = 48
/** Steps of a search or an insertion per event scheduled, above which the length of a day is changed. */
const DEAR_STEPS = 1 / 4

/** Options of `EventKernel`. */
export interface EventKernelOptions {
  /** Events to make room for at the start (default 64). More are taken by doubling, up to 2^20. */
  readonly capacity?: number
}

/**
 * Events are integers and are pulled: `next()` makes the earliest event current. Allocates only when more events are pending
 * than ever before; V8 boxes the handle that `schedule` returns where it does not inline the call (16 bytes).
 */
export class EventKernel {
  #now = 0
  #kind = 0
  #a = 0
  #b = 0
  #pending = 0
  #processed = 0

  // A slot is an index into these.
  #times = new Float64Array(0)
  #priorities = new Int32Array(0)
  #kinds = new Int32Array(0)
  #as = new Int32Array(0)
  #bs = new Int32Array(0)
  /** Next head of the bucket's list, or NONE; MEMBER for a slot that is no head. */
  #later = new Int32Array(0)
  /** The ring of equals, and the list of free slots. */
  #after = new Int32Array(0)
  #before = new Int32Array(0)
  /** Bumped when the slot is freed, so that a stale handle matches nothing. */
  #generations = new Uint32Array(0)
  #free = NONE

  #heads = new Int32Array(MIN_BUCKETS).fill(NONE)
  #occupied = new Int32Array(MIN_BUCKETS >> 5)
  #mask = MIN_BUCKETS - 1
  #growAbove = MIN_BUCKETS / BUCKETS_PER_EVENT
  #shrinkBelow = 0
  #dayLog2 = INITIAL_DAY_LOG2
  #daysPerNs = 2 ** -INITIAL_DAY_LOG2
  #yearNs = MIN_BUCKETS * 2 ** INITIAL_DAY_LOG2
  /** End of the year of `now`. */
  #yearEndNs = MIN_BUCKETS * 2 ** INITIAL_DAY_LOG2

  /** Cost since `processed + pending` was `#countedFrom`. */
  #emptySteps = 0
  #passedSteps = 0
  #countedFrom = 0

  constructor(options: EventKernelOptions = {}) {
    checkObject('options', options)
    const { capacity = 64 } = options
    checkInteger('capacity', capacity, 1, 2 ** 30, 'events')
    this.#growSlots(capacity)
  }

  /** Time of the current event, or the limit that `nextUntil` reached; ns. */
  get now(): number {
    return this.#now
  }

  get kind(): number {
    return this.#kind
  }

  get a(): number {
    return this.#a
  }

  get b(): number {
    return this.#b
  }

  /** Events scheduled and neither taken nor cancelled. */
  get pending(): number {
    return this.#pending
  }

  /** Events taken so far. */
  get processed(): number {
    return this.#processed
  }

  /**
   * Adds an event at `timeNs`, an integer in now..2^53 - 1; the other arguments are int32. Returns a handle for `cancel`: a
   * positive safe integer that names no other event until its slot has been used 2^32 times.
   */
  schedule(timeNs: number, priority: number, kind: number, a: number, b: number): number {
    // Kept short, its refusals out of line: once V8 inlines it, time and handle are not boxed (35 instead of 42 ns an event).
    if (!(timeNs >= this.#now && Number.isSafeInteger(timeNs))) this.#refuseTime(timeNs)
    if ((priority | 0) !== priority || (kind | 0) !== kind || (a | 0) !== a || (b | 0) !== b) this.#refuseWords()
    if (this.#free < 0) this.#growSlots()
    const slot = this.#free
    this.#free = this.#after[slot]
    this.#times[slot] = timeNs
    this.#priorities[slot] = priority
    this.#kinds[slot] = kind
    this.#as[slot] = a
    this.#bs[slot] = b
    this.#add(slot)
    return this.#generations[slot] * SLOT_LIMIT + slot
  }

  /** Takes an event back. False when it was taken or cancelled before; 0 is never a handle and may stand for none. */
  cancel(handle: number): boolean {
    const generation = Math.floor(handle / SLOT_LIMIT)
    const slot = handle - generation * SLOT_LIMIT
    if (this.#generations[slot] !== generation) return false
    this.#remove(slot)
    return true
  }

  /** Makes the earliest event current (`now`, `kind`, `a`, `b`). False when none is pending; then nothing changes. */
  next(): boolean {
    if (this.#pending === 0) return false
    this.#take(this.#earliest())
    return true
  }

  /** Like `next`, but leaves events later than `limitNs` (an integer, not before `now`): then `now = limitNs`, and false. */
  nextUntil(limitNs: number): boolean {
    if (!(limitNs >= this.#now && Number.isSafeInteger(limitNs))) this.#refuseTime(limitNs)
    if (this.#pending !== 0) {
      const slot = this.#earliest()
      if (this.#times[slot] <= limitNs) {
        this.#take(slot)
        return true
      }
    }
    this.#advance(limitNs)
    return false
  }

  #refuseTime(timeNs: number): void {
    assert(false, `time ${timeNs} is not an integer between now (${this.#now}) and 2^53 - 1`)
  }

  #refuseWords(): void {
    assert(false, 'priority, kind, a and b of an event are int32')
  }

  #add(slot: number): void {
    const passed = this.#link(slot)
    this.#pending++
    if (passed > 0) this.#countPassed(passed)
    if (this.#pending > this.#growAbove) this.#rebuild(2 * (this.#mask + 1), this.#dayLog2)
  }

  #take(slot: number): void {
    this.#advance(this.#times[slot])
    this.#kind = this.#kinds[slot]
    this.#a = this.#as[slot]
    this.#b = this.#bs[slot]
    this.#processed++
    this.#remove(slot)
  }

  #advance(timeNs: number): void {
    this.#now = timeNs
    if (timeNs >= this.#yearEndNs) this.#yearEndNs = (Math.floor(timeNs / this.#yearNs) + 1) * this.#yearNs
  }

  /** Links a slot into its bucket, behind the events that are not later. Returns how many heads it passed. */
  #link(slot: number): number {
    const times = this.#times
    const timeNs = times[slot]
    // The product is exact, and `&` takes the day modulo 2^32.
    const bucket = (timeNs * this.#daysPerNs) & this.#mask
    this.#after[slot] = slot
    this.#before[slot] = slot
    let next = this.#heads[bucket]
    if (next < 0) {
      this.#heads[bucket] = slot
      this.#occupied[bucket >> 5] |= 1 << bucket
      this.#later[slot] = NONE
      return 0
    }
    const priority = this.#priorities[slot]
    let previous = NONE
    let passed = 0
    while (next >= 0 && times[next] <= timeNs) {
      if (times[next] === timeNs) {
        if (this.#priorities[next] === priority) {
          this.#joinRing(next, slot)
          return passed
        }
        if (this.#priorities[next] > priority) break
      }
      previous = next
      next = this.#later[next]
      passed++
    }
    this.#later[slot] = next
    if (previous < 0) this.#heads[bucket] = slot
    else this.#later[previous] = slot
    return passed
  }

  /** Appends a slot to the ring of its equals: before the head is behind the last. */
  #joinRing(head: number, slot: number): void {
    const last = this.#before[head]
    this.#after[last] = slot
    this.#before[head] = slot
    this.#after[slot] = head
    this.#before[slot] = last
    this.#later[slot] = MEMBER
  }

  /** Unlinks a slot and frees it. */
  #remove(slot: number): void {
    const after = this.#after[slot]
    let heir = this.#later[slot]
    if (after !== slot) {
      const before = this.#before[slot]
      this.#after[before] = after
      this.#before[after] = before
      if (heir !== MEMBER) {
        this.#later[after] = heir
        heir = after
      }
    }
    if (heir !== MEMBER) this.#replaceHead(slot, heir)
    this.#after[slot] = this.#free
    this.#free = slot
    this.#generations[slot]++
    this.#pending--
    if (this.#pending < this.#shrinkBelow) this.#rebuild((this.#mask + 1) >> 1, this.#dayLog2)
  }

  #replaceHead(slot: number, heir: number): void {
    const later = this.#later
    const bucket = (this.#times[slot] * this.#daysPerNs) & this.#mask
    let previous = this.#heads[bucket]
    if (previous === slot) {
      this.#heads[bucket] = heir
      if (heir < 0) this.#occupied[bucket >> 5] &= ~(1 << bucket)
      return
    }
    while (later[previous] !== slot) previous = later[previous]
    later[previous] = heir
  }

  /** Slot of the earliest event; some event is pending. */
  #earliest(): number {
    const times = this.#times
    const heads = this.#heads
    const occupied = this.#occupied
    const words = (this.#mask + 1) >> 5
    const today = (this.#now * this.#daysPerNs) & this.#mask
    let yearEndNs = this.#yearEndNs
    let word = today >> 5
    let days = occupied[word] & (-1 << today)
    let later = 0
    // The word of today comes again at the end, for its days before today, which belong to the next year.
    for (let empty = 0; empty <= words; empty++) {
      while (days !== 0) {
        const slot = heads[(word << 5) + 31 - Math.clz32(days & -days)]
        if (times[slot] < yearEndNs) {
          if (empty + later > 1) this.#countEmpty(empty + later)
          return slot
        }
        days &= days - 1
        later++
      }
      if (++word === words) {
        word = 0
        yearEndNs += this.#yearNs
      }
      days = occupied[word]
    }
    return this.#earliestOfAll()
  }

  /** Nothing within a year: the earliest of all heads. Equal times share a bucket, so time alone decides. */
  #earliestOfAll(): number {
    const words = (this.#mask + 1) >> 5
    let earliest = NONE
    let earliestNs = Number.POSITIVE_INFINITY
    for (let word = 0; word < words; word++) {
      for (let days = this.#occupied[word]; days !== 0; days &= days - 1) {
        const slot = this.#heads[(word << 5) + 31 - Math.clz32(days & -days)]
        if (this.#times[slot] >= earliestNs) continue
        earliest = slot
        earliestNs = this.#times[slot]
      }
    }
    this.#countEmpty(words + this.#pending)
    return earliest
  }

  #countEmpty(steps: number): void {
    this.#emptySteps += steps
    if (this.#emptySteps > this.#mask) this.#settle()
  }

  #countPassed(steps: number): void {
    this.#passedSteps += steps
    if (this.#passedSteps > this.#mask) this.#settle()
  }

  /** The steps counted are worth a rebuild: change the length of a day if they were dear per event, not only in sum. */
  #settle(): void {
    const longer = this.#emptySteps > this.#passedSteps
    const steps = longer ? this.#emptySteps : this.#passedSteps
    const dearness = steps / (DEAR_STEPS * Math.max(1, this.#processed + this.#pending - this.#countedFrom))
    // Either cost is about proportional to how far the length is off.
    const change = Math.min(8, Math.ceil(Math.log2(dearness)))
    const dayLog2 = Math.min(MAX_DAY_LOG2, Math.max(0, this.#dayLog2 + (longer ? change : -change)))
    if (change > 0 && dayLog2 !== this.#dayLog2) this.#rebuild(this.#mask + 1, dayLog2)
    else this.#countFromHere()
  }

  #countFromHere(): void {
    this.#emptySteps = 0
    this.#passedSteps = 0
    this.#countedFrom = this.#processed + this.#pending
  }

  #rebuild(buckets: number, dayLog2: number): void {
    const chain = this.#unlinkAll()
    if (buckets > this.#heads.length) {
      this.#heads = new Int32Array(buckets).fill(NONE)
      this.#occupied = new Int32Array(buckets >> 5)
    }
    this.#mask = buckets - 1
    this.#growAbove = buckets < MAX_BUCKETS ? buckets / BUCKETS_PER_EVENT : SLOT_LIMIT
    this.#shrinkBelow = buckets > MIN_BUCKETS ? buckets / (8 * BUCKETS_PER_EVENT) : 0
    this.#dayLog2 = dayLog2
    this.#daysPerNs = 2 ** -dayLog2
    this.#yearNs = buckets * 2 ** dayLog2
    this.#yearEndNs = (Math.floor(this.#now / this.#yearNs) + 1) * this.#yearNs
    for (let slot = chain; slot >= 0; ) {
      const next = this.#after[slot]
      this.#link(slot)
      slot = next
    }
    this.#countFromHere()
  }

  /** Empties the calendar into one chain, by `#after`, that keeps the order of equals. Returns its first slot. */
  #unlinkAll(): number {
    let first = NONE
    for (let bucket = 0; bucket <= this.#mask; bucket++) {
      for (let head = this.#heads[bucket]; head >= 0; head = this.#later[head]) {
        this.#after[this.#before[head]] = first
        first = head
      }
      this.#heads[bucket] = NONE
    }
    this.#occupied.fill(0)
    return first
  }

  #growSlots(capacity = Math.min(2 * this.#times.length, SLOT_LIMIT)): void {
    const from = this.#times.length
    assert(from < capacity && capacity <= SLOT_LIMIT, `no more than ${SLOT_LIMIT} events can be pending`)
    this.#times = grown(this.#times, new Float64Array(capacity))
    this.#priorities = grown(this.#priorities, new Int32Array(capacity))
    this.#kinds = grown(this.#kinds, new Int32Array(capacity))
    this.#as = grown(this.#as, new Int32Array(capacity))
    this.#bs = grown(this.#bs, new Int32Array(capacity))
    this.#later = grown(this.#later, new Int32Array(capacity))
    this.#after = grown(this.#after, new Int32Array(capacity))
    this.#before = grown(this.#before, new Int32Array(capacity))
    this.#generations = grown(this.#generations, new Uint32Array(capacity).fill(FIRST_GENERATION))
    for (let slot = from; slot < capacity; slot++) this.#after[slot] = slot + 1 < capacity ? slot + 1 : NONE
    this.#free = from
  }
}

function grown<T extends Int32Array | Uint32Array | Float64Array>(old: T, larger: T): T {
  larger.set(old)
  return larger
}
