import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TraceRecorder } from '../../src/sim/index.ts'
import { run, type Setting, SMALL, TEXT } from './fake.ts'

let folder: string
let scenario: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'virtio-sdk-cli-'))
  scenario = join(folder, 'small.yaml')
  writeFileSync(scenario, SMALL)
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const cli = (args: string, setting: Setting = {}) =>
  run(args.split(' ').filter(Boolean), scenario, { cwd: folder, ...setting })

describe('--json', () => {
  it('prints one object in the agreed form, and nothing else on stdout', async () => {
    const { code, stdout, stderr } = await cli('simulate --json')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const report = JSON.parse(stdout)
    expect(report).toMatchObject({ seed: 1, platform: 'zcu102' })
    expect(report.assumptions).toEqual(['costs are assumed', 'a board called zcu102'])
    expect(Object.keys(report.designs)).toEqual(['dedicated', 'floating'])
    expect(report.designs.floating).toMatchObject({
      messagesSent: 1310,
      crossCoreIpis: 0,
      stolenNsByCore: { 0: 4_000_000 },
    })
    expect(report.designs.floating.flows.f.responseTimeNs).toEqual({ min: 1e5, p50: 2e5, p99: 4e5, max: 5e5 })
  })

  it('takes the scenario after it, and the same report for the same seed', async () => {
    const [first, second] = [await cli('simulate --json small.yaml'), await cli('simulate small.yaml --json')]
    expect(first.code).toBe(0)
    expect(first.stdout).toBe(second.stdout)
  })
})

describe('bounds', () => {
  it('stand beside what was observed', async () => {
    const { code, stdout, stderr } = await cli('simulate --json', { boundNs: 600_000 })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const { dedicated, floating } = JSON.parse(stdout).designs
    for (const flow of [dedicated.flows.f, dedicated.flows.g, floating.flows.f]) expect(flow.boundNs).toBe(600_000)
    expect(JSON.parse((await cli('simulate --json')).stdout).designs.floating.flows.f.boundNs).toBeNull()
  })

  it('that are exceeded end with 1, in red, and ask for a report', async () => {
    const { code, stdout, stderr } = await cli('simulate --seed 7', { boundNs: 599_999, tty: true })
    expect(code).toBe(1)
    expect(stdout).toContain('\x1b[31m0.600\x1b[0m')
    expect(stderr).toContain(
      'dedicated: flow f took 600000 ns, its bound is 599999 ns: a bound is violated, a bug of ours',
    )
    expect(stderr).toContain('seed 7')
    expect(stderr).not.toContain('floating: flow')
  })
})

describe('the table', () => {
  it('sets both designs side by side', async () => {
    const { stdout } = await cli('simulate')
    expect(stdout).toMatchInlineSnapshot(`
      "small.yaml: 2 VMs, 2 flows, 1s on zcu102, simulated

                                              dedicated           floating
      messages sent                               1,310              1,310
      messages delivered                          1,310              1,310
      bytes delivered                        85,000,000         85,000,000
      payload mismatches                              0                  0
      violations                                      0                  0
      deadline misses                                 0                  0
      cross-core IPIs                            24,531                  0
      interrupts taken by VM cores               22,000              1,310
      exits on VM cores                          44,000              2,620
      stolen from core 0, a          12.000 ms   1.20 %  4.000 ms   0.40 %
      stolen from core 1, b          12.000 ms   1.20 %  4.000 ms   0.40 %
      broker works on its own core  250.000 ms  25.00 %           has none
      core free for other work                     none             core 3

      Response times in ms, simulated, and their bounds
      flow     design  delivered    min    p50    p99    max  bound  deadline  misses
      f     dedicated      10/10  0.100  0.200  0.400  0.600   none     1.000       0
      f      floating      10/10  0.100  0.200  0.400  0.500   none     1.000       0
      g     dedicated      10/10  0.100  0.200  0.400  0.600   none     1.000       0
      g      floating      10/10  0.100  0.200  0.400  0.500   none     1.000       0

      Floating against dedicated (less is better)
        cross-core IPIs                24,531  ->      0        -100.0 %
        interrupts taken by VM cores   22,000  ->  1,310         -94.0 %
        exits on VM cores              44,000  ->  2,620         -94.0 %
        time stolen from VM cores, ms  24.000  ->  8.000         -66.7 %
        f, median response, ms          0.200  ->  0.200       no change
        f, largest response, ms         0.600  ->  0.500         -16.7 %
        g, median response, ms          0.200  ->  0.200       no change
        g, largest response, ms         0.600  ->  0.500         -16.7 %
        cores that guests cannot use        1  ->      0  core 3 is free

      seed 1, costs drawn between best and worst, platform zcu102
      dedicated: 1000.000 ms simulated in 400 ms (2.50 x real time), 100,000 events, trace hash 00c0ffee
      floating: 1000.000 ms simulated in 400 ms (2.50 x real time), 100,000 events, trace hash 0badcafe

      Assumptions
        - costs are assumed
        - a board called zcu102
      "
    `)
  })

  it('has one column and no comparison for one design', async () => {
    const { stdout, calls } = await cli('simulate --design floating')
    expect(calls.map(({ options }) => options.design)).toEqual(['floating'])
    expect(stdout).not.toContain('dedicated')
    expect(stdout).not.toContain('Floating against')
  })

  it('is silent with --quiet', async () => {
    expect(await cli('simulate --quiet')).toMatchObject({ code: 0, stdout: '', stderr: '' })
  })

  it('shows what never arrived as such', async () => {
    const flows = { f: { messages: 3, delivered: 0, deadlineMisses: 3, responseTimeNs: null } }
    const { stdout } = await cli('simulate --design floating', { changes: { floating: { flows, deadlineMisses: 3 } } })
    expect(stdout).toMatch(/^f +floating +0\/3 +- +- +- +- +none +1\.000 +3$/m)
  })

  it('speaks of MemGuard where a VM has a budget, and only there', async () => {
    expect((await cli('simulate')).stdout).not.toMatch(/MemGuard|throttled/)
    writeFileSync(scenario, SMALL.replace('cid: 4', 'cid: 4, memguard: { refills: 100, period: 1ms }, refillsPerUs: 1'))
    const floating = {
      throttledNsByCore: { 0: 0, 1: 600_000_000 },
      memguardInterrupts: 2000,
      delayedCompletions: 17,
      longestCompletionDelayNs: 571_000,
    }
    const { stdout } = await cli('simulate --design floating', { changes: { floating } })
    expect(stdout).toMatch(/throttled by MemGuard: core 1 +600\.000 ms +60\.00 %/)
    expect(stdout).toMatch(/interrupts of MemGuard +2,000/)
    expect(stdout).toMatch(/DMA completions that waited for a throttled core +17/)
    expect(stdout).toMatch(/longest wait of a DMA completion, ms +0\.571/)
  })

  it('is coloured only for a person who wants it', async () => {
    expect((await cli('simulate')).stdout).not.toContain('\x1b')
    expect((await cli('simulate', { tty: true })).stdout).toContain('\x1b[32m')
    expect((await cli('simulate', { tty: true, env: { NO_COLOR: '1' } })).stdout).not.toContain('\x1b')
  })
})

describe('the verdict', () => {
  it('says whose cache partitions are not kept apart', async () => {
    const own = { colors: [0], pages: 512, poolPages: 0, longestRunPages: 1 }
    const colors = {
      colors: 16,
      pool: [],
      vms: { a: { ...own, foreignPages: 12 }, b: { ...own, foreignPages: 0 } },
      shared: [{ vms: ['a', 'b'] as const, colors: [2, 3, 4, 7], pages: [1200, 34] as const }],
    }
    const { stdout } = await cli('simulate --design floating', { changes: { floating: { colors } } })
    expect(stdout).toContain('floating: a and b share page colours 2-4, 7: 1,200 and 34 pages\n')
    expect(stdout).toContain('floating: a ended with 12 pages of foreign colours\n')
  })

  it('is 1 for a changed payload or a violation, in either design', async () => {
    expect(await cli('simulate --quiet', { changes: { dedicated: { payloadMismatches: 1 } } })).toMatchObject({
      code: 1,
    })
    expect(await cli('simulate --json', { changes: { floating: { violations: 2 } } })).toMatchObject({
      code: 1,
      stderr: '',
    })
  })

  it('is 0 for missed deadlines: a scenario may ask for too much', async () => {
    expect(await cli('simulate', { changes: { floating: { deadlineMisses: 7 } } })).toMatchObject({ code: 0 })
  })
})

describe('options', () => {
  it('seed and duration replace those of the scenario', async () => {
    const { calls } = await cli('simulate --seed 42 --duration 1.5ms')
    expect(calls[1]?.scenario).toMatchObject({ seed: 42, durationNs: 1_500_000 })
  })

  it('--payload FILE is for all flows, FLOW=FILE for one, and the last wins', async () => {
    writeFileSync(join(folder, 'x.bin'), 'for all')
    writeFileSync(join(folder, 'y=z.bin'), 'for f')
    const { calls } = await cli('simulate --payload x.bin --payload f=y=z.bin')
    const bytes = (flow: string) => new TextDecoder().decode(calls[0]?.options.payload(flow) ?? undefined)
    expect([bytes('f'), bytes('g')]).toEqual(['for f', 'for all'])
    expect(calls[0]?.scenario.flows[0]?.payload).toEqual({ kind: 'file', path: join(folder, 'y=z.bin') })
    const all = await cli('simulate --payload f=x.bin --payload y=z.bin')
    expect(all.calls[0]?.options.payload('f')).toEqual(Buffer.from('for f'))
  })

  it('finds the payload of a scenario beside it, then in the current folder', async () => {
    const elsewhere = join(folder, 'elsewhere')
    mkdirSync(elsewhere)
    writeFileSync(join(elsewhere, 'f.yaml'), SMALL.replace('name: f,', 'name: f, payload: file:p.bin,'))
    writeFileSync(join(folder, 'p.bin'), 'current')
    const bytes = async () => (await cli('simulate elsewhere/f.yaml')).calls[0]?.options.payload('f')
    expect(await bytes()).toEqual(Buffer.from('current'))
    writeFileSync(join(elsewhere, 'p.bin'), 'beside')
    expect(await bytes()).toEqual(Buffer.from('beside'))
  })

  it('random and absent payloads are left to the simulator', async () => {
    expect((await cli('simulate')).calls[0]?.options.payload('f')).toBeNull()
  })

  it('--out writes every message that arrives', async () => {
    const during: Setting['during'] = ({ onMessage }) => {
      const bytes = TEXT.encode('one')
      onMessage?.({ flow: 'f', sequence: 0, bytes, responseNs: 1 })
      bytes.fill(0)
      onMessage?.({ flow: 'f', sequence: 12, bytes: TEXT.encode('two'), responseNs: 1 })
    }
    expect(await cli('simulate --out got', { during })).toMatchObject({ code: 0 })
    expect(readdirSync(join(folder, 'got/dedicated/f'))).toEqual(['000000.bin', '000012.bin'])
    expect(readFileSync(join(folder, 'got/floating/f/000000.bin'), 'utf8')).toBe('one')
  })

  it('--trace writes a file a design', async () => {
    await cli('simulate --trace t/run.json')
    expect(JSON.parse(readFileSync(join(folder, 't/run.dedicated.json'), 'utf8'))).toEqual({ traceEvents: [] })
    expect(existsSync(join(folder, 't/run.floating.json'))).toBe(true)
    const { calls } = await cli('simulate --design floating --trace one.json')
    expect(calls[0]?.options.trace).toBeInstanceOf(TraceRecorder)
    expect(existsSync(join(folder, 'one.json'))).toBe(true)
    expect((await cli('simulate')).calls[0]?.options).not.toHaveProperty('trace')
  })

  it('shows progress of a long run to a person, and removes it', async () => {
    const during: Setting['during'] = ({ onProgress }) => {
      for (let i = 1; i <= 4; i++) onProgress?.(i * 250, 1000)
    }
    const { stderr } = await cli('simulate --design floating --json', { during, tty: true })
    expect(stderr).toContain('floating  [######################........] 75 %')
    expect(stderr.endsWith('\r\x1b[K')).toBe(true)
    expect((await cli('simulate', { during })).stderr).toBe('')
    expect((await cli('simulate --quiet', { during, tty: true })).stderr).toBe('')
  })

  it('says a word about deadlines beyond the period', async () => {
    writeFileSync(scenario, SMALL.replace('period: 1ms,', 'period: 1ms, deadline: 3ms,'))
    expect(await cli('simulate')).toMatchObject({
      code: 0,
      stderr: 'note: flow f has a deadline (3ms) beyond its period (1ms)\n',
    })
  })
})

describe('what the user wrote wrong ends with 2 and a sentence', () => {
  const cases: [args: string, message: string | RegExp][] = [
    ['simulate --seed 1 --seed 2', '--seed takes one value'],
    ['simulate --seed x', '--seed x: write a whole number from 0'],
    ['simulate --seed -1', '--seed -1: write a whole number from 0'],
    ['simulate --duration soon', '--duration soon is not a time; write a number with ns, us, ms or s, e.g. 5ms'],
    ['simulate --duration 0', '--duration 0 simulates nothing; write e.g. 100ms'],
    ['simulate --design sideways', '--design sideways: use both, floating or dedicated'],
    ['simulate --payload h=x.bin', '--payload h=x.bin: no flow is called h; there are f, g'],
    ['simulate --payload none.bin', /^flow f: no payload file, looked for .*none\.bin\nflow g: .*$/],
    ['simulate --out a --out b', '--out takes one path'],
    ['simulate nowhere.yaml', 'cannot read the scenario nowhere.yaml: there is no such file or folder (ENOENT)'],
    ['simulate --sede 1', 'Unknown option `--sede`; did you mean --seed?'],
    ['simulate --seed', 'option `--seed <number>` value is missing'],
    ['simulate a.yaml b.yaml', 'Unused args: `b.yaml`'],
    ['simulte', 'there is no command simulte; did you mean simulate?'],
  ]
  it.each(cases)('%s', async (args, message) => {
    const { code, stdout, stderr } = await cli(args)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    if (typeof message === 'string') expect(stderr).toBe(`${message}\n`)
    else expect(stderr.trimEnd()).toMatch(message)
    expect(stderr).not.toMatch(/^\s+at /m)
  })

  it.runIf(existsSync('/proc'))('a folder that cannot be made, rather than never to return', async () => {
    const { code, stderr } = await cli('simulate --trace /proc/none/run.json')
    expect(code).toBe(2)
    expect(stderr).toContain('cannot write /proc/none: there is no such file or folder (ENOENT)')
  })

  it('a scenario with mistakes, every one of them', async () => {
    writeFileSync(scenario, SMALL.replace('cid: 4', 'cid: 3').replace('to: b', 'to: c'))
    const { code, stderr } = await cli('simulate small.yaml')
    expect(code).toBe(2)
    expect(stderr).toBe(
      'small.yaml:2:62 vms[1].cid: 3 is already the cid of vms[0]; choose another cid\n' +
        'small.yaml:3:33 flows[0].to: "c" is not the name of a VM; use one of a, b\n',
    )
  })

  it('an empty payload', async () => {
    writeFileSync(join(folder, 'empty'), '')
    expect((await cli('simulate --payload f=empty')).stderr).toMatch(/^flow f: its payload .*empty is empty\n$/)
  })

  it('a VM on the core of the dedicated broker, unless only the floating one runs', async () => {
    writeFileSync(scenario, SMALL.replace('core: 1', 'core: 3'))
    const { code, stderr } = await cli('simulate --design both')
    expect(code).toBe(2)
    expect(stderr).toBe(
      'core 3 belongs to the dedicated broker, and VM b runs there; move the VM, change broker.dedicatedCore, or use --design floating\n',
    )
    const alone = await cli('simulate')
    expect(alone.calls.map(({ options }) => options.design)).toEqual(['floating'])
    expect(alone.stderr).toBe(
      'note: core 3 belongs to the dedicated broker, and VM b runs there: only the floating design is simulated\n',
    )
    expect(await cli('simulate --design floating')).toMatchObject({ code: 0 })
  })

  it('a folder that cannot be written', async () => {
    writeFileSync(join(folder, 'file'), '')
    expect(await cli('simulate --out file')).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^cannot write [^\n]+: a part of its path is a file, not a folder \(ENOTDIR\)\n$/),
    })
  })
})

it('our own mistakes end with 3 and say so', async () => {
  const during = () => {
    throw new TypeError('undefined is not a function')
  }
  const { code, stderr } = await cli('simulate', { during })
  expect(code).toBe(3)
  expect(stderr).toMatch(/^internal error, please report it: TypeError: undefined is not a function\n +at /)
})
