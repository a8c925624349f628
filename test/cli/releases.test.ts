/** Files of releases on the command line: replayed, refused with line and column, fitted. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import * as zcu102 from '../../src/platform-zcu102/index.ts'
import { run } from './fake.ts'

const FOLDER = mkdtempSync(join(tmpdir(), 'releases-'))
afterAll(() => rmSync(FOLDER, { recursive: true, force: true }))
const file = (name: string, text: string) => {
  writeFileSync(join(FOLDER, name), text)
  return join(FOLDER, name)
}
const MY = file(
  'my.yaml',
  `
duration: 20ms
vms: [{ name: a, core: 0, cid: 3 }, { name: b, core: 1, cid: 4 }]
flows: [{ name: f, from: a, to: b, period: 5ms, jitter: 100us, length: 4KiB, releases: f.csv }]
`,
)
file('f.csv', 'time_ns,length_bytes\n0,4096\n4900000,100\n9990000,4000\n14900000,1\n19950000,7\n25000000,9\n')
const cli = (...args: string[]) => run(args, MY, { cwd: FOLDER, simulator: zcu102 })

describe('releases', () => {
  it('are replayed by simulate and compare, and what is after the end is said to be left out', async () => {
    const { code, stdout, stderr } = await cli('simulate', MY, '--json', '--design', 'floating')
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: 'note: flow f: 1 of the 6 releases in f.csv are after the end of the run, and left out\n',
    })
    expect(JSON.parse(stdout).designs.floating).toMatchObject({ messagesDelivered: 5, bytesDelivered: 8204 })
    const both = await cli('compare', MY, '--set', 'flows.f.releases=null', '--json')
    expect(JSON.parse(both.stdout).totals['messages delivered']).toEqual([5, 4])
  })

  it.each(['analyze', 'simulate', 'simulate --worst --runs 2'])('are held against the flow by %s', async (command) => {
    const args = command.split(' ')
    const { code, stderr } = await cli(...args, MY, '--quiet', '--set', 'flows.f.jitter=9us')
    expect(code).toBe(2)
    expect(stderr).toBe(
      'f.csv:3:1 the message at 4900000 comes 91us earlier than flow f says, with a period of 5ms and a jitter of 9us; declare what the trace does; virtio-sdk fit proposes it\n',
    )
    expect((await cli(...args, MY, '--quiet', '--set', 'flows.f.length=4000')).stderr).toMatch(/^f\.csv:2:3 4096 bytes/)
    expect((await cli(...args, MY, '--quiet', '--set', 'flows.f.releases=g.csv')).stderr).toMatch(
      /there is no file g\.csv/,
    )
    expect((await cli(...args, MY, '--quiet')).code).toBe(0)
  })
})

describe('fit', () => {
  it('proposes what the flow may declare, and shows windows beside it', async () => {
    const { code, stdout } = await cli('fit', 'f.csv')
    expect(code).toBe(0)
    const [, period, jitter] = /\{ period: (\S+), jitter: (\S+), length: 4096, releases: f\.csv \}/.exec(stdout)!
    const sets = [`flows.f.period=${period}`, `flows.f.jitter=${jitter}`].flatMap((set) => ['--set', set])
    expect((await cli('simulate', MY, '--quiet', '--design', 'floating', ...sets)).code).toBe(0)
    const found = JSON.parse((await cli('fit', 'f.csv', '--json')).stdout)
    expect(found).toMatchObject({ messages: 6, lengthBytes: 4096, leastGapNs: 4_900_000 })
    for (const { seen, allowed } of found.windows) expect(seen).toBeLessThanOrEqual(allowed)
  })

  it('refuses what is no trace', async () => {
    file('bad.csv', 'time_ns\n5\n4\n')
    file('one.csv', 'time_ns\n5\n')
    for (const [args, message] of [
      [[], /fit takes one file/],
      [['bad.csv'], /^bad\.csv:3:1 4 is not later than 5/],
      [['one.csv'], /between two messages/],
      [['none.csv'], /cannot read none\.csv/],
    ] as const) {
      const { code, stderr } = await cli('fit', ...args)
      expect({ args, code }).toEqual({ args, code: 2 })
      expect(stderr).toMatch(message)
    }
  })
})
