import { describe, expect, it } from 'vitest'
import { EventKernel, PreemptiveCores, TicketLock } from '../../src/sim/index.ts'

const DONE = 1

function rig(): { kernel: EventKernel; cores: PreemptiveCores; log: [number, number][]; step: () => boolean } {
  const kernel = new EventKernel()
  const cores = new PreemptiveCores(kernel, 2, DONE, 0)
  const log: [number, number][] = []
  const step = () => {
    if (!kernel.next()) return false
    if (kernel.kind === DONE) {
      cores.finish(kernel.a)
      log.push([kernel.now, cores.finishedKind])
    }
    return true
  }
  return { kernel, cores, log, step }
}

describe('PreemptiveCores', () => {
  it('an interrupt handler suspends the thread, which keeps its remaining time', () => {
    const { kernel, cores, log, step } = rig()
    cores.enqueue(0, 0, 100, 10, 0)
    kernel.nextUntil(40)
    cores.enqueue(0, 1, 30, 11, 0)
    while (step()) {}
    expect(log).toEqual([
      [70, 11],
      [130, 10],
    ])
    expect([cores.busyNs(0, 0), cores.busyNs(0, 1)]).toEqual([100, 30])
  })

  it('EL2 suspends both levels for as long as it is entered, and is accounted', () => {
    const { kernel, cores, log, step } = rig()
    cores.enqueue(0, 0, 100, 10, 0)
    kernel.nextUntil(50)
    expect(cores.enter(0)).toBe(true)
    expect(cores.enter(0)).toBe(false)
    cores.enqueue(0, 1, 5, 11, 0)
    kernel.nextUntil(80)
    cores.leave(0)
    while (step()) {}
    expect(log).toEqual([
      [85, 11],
      [135, 10],
    ])
    expect(cores.busyNs(0, 2)).toBe(30)
  })

  it('is FIFO within a level, and its cores are independent', () => {
    const { cores, log, step } = rig()
    for (const kind of [1, 2, 3]) cores.enqueue(0, 0, 10, kind, 0)
    cores.enqueue(1, 0, 15, 4, 0)
    while (step()) {}
    expect(log).toEqual([
      [10, 1],
      [15, 4],
      [20, 2],
      [30, 3],
    ])
  })
})

describe('TicketLock', () => {
  it('is granted in the order of asking', () => {
    const lock = new TicketLock()
    expect([lock.acquire(2), lock.acquire(0), lock.acquire(1)]).toEqual([true, false, false])
    expect([lock.release(2), lock.release(0), lock.release(1)]).toEqual([0, 1, -1])
  })

  it('refuses to be released by somebody else, or taken twice', () => {
    const lock = new TicketLock()
    lock.acquire(0)
    expect(() => lock.release(1)).toThrow()
    expect(() => lock.acquire(0)).toThrow()
  })
})
