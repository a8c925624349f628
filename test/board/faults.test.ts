/** What goes wrong on QEMU's ZCU102 is found: each of these is done wrong on purpose, and nothing is left running behind it. */
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { simulateOnQemu } from '../../src/platform-qemu/index.ts'
import { parseScenario } from '../../src/scenario/index.ts'
import { AGENT } from './runs.ts'

const scenario = (transfer: string) =>
  parseScenario(`
duration: 60ms
broker: { transfer: ${transfer} }
vms:
  - { name: a, cid: 3, core: 0 }
  - { name: b, cid: 4, core: 1 }
flows:
  - { name: f, from: a, to: b, period: 10ms, length: 32KiB }
`)

const run = (transfer: string, fault?: Parameters<typeof simulateOnQemu>[1]['fault']) =>
  simulateOnQemu(scenario(transfer), { design: 'floating', sources: AGENT, ...(fault !== undefined && { fault }) })

/** Processes of ours, and files. */
function left(): string[] {
  const running = execFileSync('ps', ['-o', 'comm', '--ppid', String(process.pid)], { encoding: 'utf8' }).split('\n')
  const files = existsSync('/dev/shm') ? readdirSync('/dev/shm') : []
  return [
    ...running.filter((name) => name.startsWith('qemu-system-aar')),
    ...files.filter((name) => name.startsWith('virtio-sdk-')),
  ]
}

afterEach(() => {
  vi.unstubAllEnvs()
  expect(left()).toEqual([])
})

describe('done right', () => {
  it.each(['copy', 'remap', 'lend'])('nothing is found: %s', async (transfer) => {
    const { result } = await run(transfer)
    expect(result).toMatchObject({ messagesDelivered: 6, payloadMismatches: 0 })
  })
})

describe('is found', () => {
  it('a guest that still reads its old frame, because nobody invalidated its translation', async () => {
    const { result } = await run('remap', 'no-invalidation')
    expect(result.payloadMismatches).toBeGreaterThan(0)
  })

  it.each([
    [
      'a descriptor that is not aligned',
      'misaligned-descriptors',
      /the DMA of QEMU's ZCU102 is in state 3 at the gate/,
    ],
    ['a list that stops instead of pausing', 'stop-at-end', /in state 0 with events 0x[0-9a-f]+ at the end of a list/],
    ['bytes counted on from the last list', 'stale-byte-counter', /moved \d+ bytes; the 8 pieces that have ended have/],
    ['an interrupt at the wrong core', 'no-routing', /no interrupt reaches core|should take interrupt 156; none is/],
    ['an interrupt that nobody acknowledged', 'no-acknowledgement', /was interrupted, and nothing is pending on the/],
  ] as const)('%s', async (_, fault, message) => {
    await expect(run('copy', fault)).rejects.toThrow(message)
  })
})

describe('a clear error', () => {
  it('without QEMU', async () => {
    vi.stubEnv('PATH', '/nowhere')
    await expect(run('copy')).rejects.toThrow(/qemu-system-aarch64 is not there: apt-get install qemu-system-arm/)
  })

  it('when QEMU ends in the middle of a run', async () => {
    const killed = simulateOnQemu(scenario('copy'), {
      design: 'floating',
      sources: AGENT,
      onProgress: () => execFileSync('pkill', ['-9', '-P', String(process.pid), 'qemu-system-aar']),
    })
    await expect(killed).rejects.toThrow(/core \d of QEMU's ZCU102 does not answer: QEMU has ended/)
  })

  it('for a scenario with MemGuard, which QEMU cannot model', async () => {
    const guarded = parseScenario(`
duration: 10ms
vms:
  - { name: a, cid: 3, core: 0, memguard: { refills: 8000, period: 2ms }, refillsPerUs: 10 }
  - { name: b, cid: 4, core: 1 }
flows:
  - { name: f, from: a, to: b, period: 10ms, length: 4KiB }
`)
    const running = simulateOnQemu(guarded, { design: 'floating', sources: AGENT })
    await expect(running).rejects.toThrow(
      /has no counters of cache misses: leave memguard out, or run the scenario --on/,
    )
  })
})
