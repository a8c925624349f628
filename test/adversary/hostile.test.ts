/** Hostile guests and who watches them: the same for ever, every strategy has its turns, and what is broken on purpose is told. */
import { describe, expect, it } from 'vitest'
import { IsolationChecker } from '../../adversary/hostile/isolation-checker.ts'
import { arenaOf, runHostile } from '../../adversary/hostile/run-hostile.ts'
import { PAGE_SIZE } from '../../src/memory/index.ts'
import { DmaList } from '../../src/platform/index.ts'
import { zcu102 } from '../../src/platform-zcu102/index.ts'
import { Machine } from '../../src/platform-zcu102/machine.ts'
import { TraceRecorder } from '../../src/sim/index.ts'
import { Accomplices, HOSTILE_STRATEGIES, HostileGuest } from '../../src/testing/hostile-guest/index.ts'

const SEED = 3

describe('a hostile guest', () => {
  it('does the same again from the same seed', () => {
    expect(runHostile(SEED, 0)).toEqual(runHostile(SEED, 0))
    const strategies = (seed: number) => new HostileGuest({ seed, cid: 3, peers: [] }).strategies
    expect(strategies(1)).toEqual(strategies(1))
    expect(Array.from({ length: 200 }, (_, seed) => strategies(seed)).flat()).toEqual(
      expect.arrayContaining([...HOSTILE_STRATEGIES]),
    )
  })

  it('has its turns, and comes back from resets', () => {
    let [turns, resets] = [0, 0]
    for (let index = 0; index < 3; index++) {
      const run = runHostile(SEED, index, ['resets', 'honest'])
      turns += run.turns
      resets += run.resets
    }
    expect(turns).toBeGreaterThan(20)
    expect(resets).toBeGreaterThan(2)
  })

  it('shares with an accomplice what both aim at', () => {
    const accomplices = new Accomplices()
    const guests = [1, 2].map((seed) => new HostileGuest({ seed, cid: 2 + seed, peers: [], accomplices }))
    expect(guests[0]!.accomplices).toBe(guests[1]!.accomplices)
  })
})

describe('scenarios', () => {
  it('have honest flows with bounds, under every way of transfer, placement, scheduler and regulator', () => {
    const seen = new Set<string>()
    let [flows, bounded] = [0, 0]
    for (let index = 0; index < 60 * 25; index += 25) {
      const { ingredients, prediction } = arenaOf(SEED, index)
      for (const [option, value] of ingredients) seen.add(`${option} ${value}`)
      // frames and commands
      flows += 2
      bounded += prediction.flows.slice(0, 2).filter(({ endToEndNs }) => endToEndNs !== null).length
    }
    const every = {
      placement: ['floating', 'dedicated'],
      scheduler: ['edf', 'fp'],
      transfer: ['copy', 'remap', 'lend', 'auto'],
      regulator: ['none', 'rate', 'bucket', 'budget'],
      hostile: ['one', 'two'],
      memguard: ['yes', 'no'],
    }
    for (const [option, values] of Object.entries(every))
      for (const value of values) expect([...seen]).toContain(`${option} ${value}`)
    expect(bounded / flows).toBeGreaterThan(0.5)
  })
})

describe('the checker tells of', () => {
  const HOSTILE = 2
  type Table = Machine['memory']['stage2'][number]

  function watched(harm: (machine: Machine, checker: IsolationChecker) => void): string[] {
    const { scenario } = arenaOf(SEED, 0)
    const machine = new Machine(scenario, {
      design: 'floating',
      profile: zcu102,
      payload: () => null,
      trace: new TraceRecorder({ keep: false, hash: false }),
    })
    const checker = new IsolationChecker(machine, scenario, new Set([HOSTILE]))
    machine.start()
    checker.watch()
    harm(machine, checker)
    checker.finish()
    return checker.breaks.map(({ kind }) => kind)
  }

  it('nothing, when nothing is wrong', () => {
    expect(watched((machine) => void machine.run(1_000_000))).toEqual([])
  })

  it('a frame that a VM may write while another has it', () => {
    const harm = ({ memory: { stage2 } }: Machine) => {
      const [victim, thief] = [stage2[0]!, stage2[HOSTILE]!]
      thief.unmap(thief.base)
      thief.map(thief.base, victim.frames[0]!, false)
    }
    expect(watched(harm)).toContain('mapping')
  })

  it('bytes of an honest VM that another can read', () => {
    const harm = ({ memory: { stage2, dram } }: Machine) => {
      const [victim, thief] = [stage2[0]!, stage2[HOSTILE]!]
      // The last page of the private part is nobody's buffer.
      for (const frame of victim.frames)
        dram.bytes.copyWithin(thief.frames[9]! * PAGE_SIZE, frame * PAGE_SIZE, (frame + 1) * PAGE_SIZE)
    }
    expect(watched(harm)).toContain('leak')
  })

  it('a page that is taken while the DMA uses it', () => {
    const harm = (machine: Machine) => {
      const { stage2 } = machine.memory
      // Some page of the receiver: sooner or later one that is being written.
      for (let ns = 0; ns < 1_000_000; ns += 10_000) {
        machine.run(ns)
        const table = stage2[1]!
        for (let page = 0; page < table.frames.length; page++) {
          const address = table.base + page * PAGE_SIZE
          if (table.frames[page]! < 0) continue
          const frame = table.unmap(address)
          table.map(address, frame, true)
        }
      }
    }
    expect(watched(harm)).toContain('dma')
  })

  describe('a page that the DMA reads for its lender', () => {
    /** VM 0 lends its first page to VM 1, and the DMA copies from it for another message of the two; then `loses` a VM a page. */
    function lendAndLose(loses: (tables: { lender: Table; borrower: Table }) => void): string[] {
      return watched(({ memory: { stage2 } }, checker) => {
        const [lender, borrower] = [stage2[0]!, stage2[1]!]
        const frame = lender.frames[0]!
        lender.protect(lender.base, false)
        borrower.unmap(borrower.base)
        borrower.map(borrower.base, frame, false)
        const list = new DmaList()
        list.clear(0)
        list.add(frame * PAGE_SIZE, borrower.frames[1]! * PAGE_SIZE, 100)
        list.endPiece()
        checker.dmaStarts(list)
        loses({ lender, borrower })
      })
    }

    it('may leave its borrower meanwhile', () => {
      expect(lendAndLose(({ borrower }) => void borrower.unmap(borrower.base))).toEqual([])
    })

    it('may not leave its lender, nor may the page that is written leave its VM', () => {
      expect(lendAndLose(({ lender }) => void lender.unmap(lender.base))).toEqual(['dma'])
      expect(lendAndLose(({ borrower }) => void borrower.unmap(borrower.base + PAGE_SIZE))).toEqual(['dma'])
    })
  })
})
