/**
 * The broker on QEMU's model of the ZCU102: what it counts is what the simulated board counts, and every payload that a guest makes there
 * another has there.
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import type { QemuCounts, QemuResult } from '../../src/platform-qemu/index.ts'
import type { Design, DesignResult } from '../../src/platform-zcu102/index.ts'
import { parseScenario, type Scenario } from '../../src/scenario/index.ts'
import { onBoth, oneMessage } from './runs.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

const example = (name: string) => parseScenario(readFileSync(`${root}/examples/scenarios/${name}.yaml`, 'utf8'))

/** What both count. */
function counted(board: DesignResult): Partial<QemuCounts> {
  return {
    exits: board.vmExits,
    interrupts: board.vmInterrupts,
    ipis: board.crossCoreIpis,
    listRegisters: board.actions.injectListRegister,
    virtualInterrupts: board.virtualInterrupts,
    transfers: board.dmaTransfers,
    descriptors: board.dmaDescriptors,
    tableWrites: board.actions.pteUpdate,
    invalidations: board.actions.tlbInvalidate,
  }
}

async function expectEqual(scenario: Scenario, design: Design): Promise<QemuResult> {
  const { board, onQemu } = await onBoth(scenario, design)
  expect(onQemu.result.traceHash).toBe(board.traceHash)
  expect(onQemu.counts).toMatchObject(counted(board))
  expect(onQemu.result).toMatchObject({ payloadMismatches: 0, violations: 0 })
  expect(onQemu.result.messagesDelivered).toBe(onQemu.result.messagesSent)
  return onQemu
}

describe.each([1, 2, 3, 17, 100, 1000])('a message of %i pieces', (pieces) => {
  it.each(['floating', 'dedicated'] as const)('copied by the %s broker', async (design) => {
    const { counts } = await expectEqual(oneMessage(pieces, 'copy'), design)
    expect(counts.bytes).toBe(pieces * 4096)
    expect(counts.transfers).toBeGreaterThan(0)
  })

  it('whose pages are exchanged', async () => {
    const { counts } = await expectEqual(oneMessage(pieces, 'remap'), 'floating')
    expect(counts).toMatchObject({ bytes: 0, filledPages: pieces })
  })

  it('whose pages are lent', async () => {
    const { counts, result } = await expectEqual(oneMessage(pieces, 'lend'), 'floating')
    // More than a VM may have lent at once is copied.
    expect(counts.bytes + 4096 * result.pagesLent).toBe(4096 * pieces)
    expect(result.pagesLent).toBeGreaterThan(0)
  })
})

describe('the example', () => {
  it.each(['default', 'many-to-one', 'multi-hop', 'one-to-many', 'zero-copy'])(
    '%s, under the floating broker',
    async (name) => {
      await expectEqual({ ...example(name), durationNs: 200_000_000 }, 'floating')
    },
  )

  it.each(['default', 'zero-copy'])('%s, under the dedicated broker', async (name) => {
    await expectEqual({ ...example(name), durationNs: 40_000_000 }, 'dedicated')
  })
})

it('is the same run twice', async () => {
  const scenario = oneMessage(17, 'copy')
  const [first, second] = [await onBoth(scenario, 'floating'), await onBoth(scenario, 'floating')]
  expect(second.onQemu).toEqual(first.onQemu)
})
