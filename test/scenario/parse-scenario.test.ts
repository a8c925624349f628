import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { INTERRUPT_PRESETS, parseScenario, ScenarioError, vmOnDedicatedCore } from '../../src/scenario/index.ts'

const EXAMPLE = readFileSync(new URL('./example.yaml', import.meta.url), 'utf8')

/** The example with one piece of its text replaced. */
function changed(from: string, to: string): string {
  expect(EXAMPLE).toContain(from)
  return EXAMPLE.replace(from, to)
}

function issuesOf(text: string, path = 'scenario.yaml'): string[] {
  try {
    parseScenario(text, { path })
  } catch (error) {
    expect(error).toBeInstanceOf(ScenarioError)
    return (error as ScenarioError).message.split('\n')
  }
  return []
}

describe('the example', () => {
  it('is normalised to integers of ns and bytes, with every default filled in', () => {
    const scenario = parseScenario(EXAMPLE)
    expect(scenario).toMatchObject({
      platform: 'zcu102',
      calibration: null,
      seed: 1,
      durationNs: 1e9,
      costs: 'random',
      chains: [],
    })
    expect(scenario.vms[2]).toEqual({
      name: 'logger',
      core: 2,
      cid: 5,
      ramBytes: null,
      queueSize: null,
      colors: null,
      buffers: 'page-aligned',
      memguard: null,
      refillsPerUs: 0,
      trusted: false,
      tasks: [],
    })
    expect(scenario.flows[1]).toEqual({
      name: 'frames',
      from: 'camera',
      to: 'planner',
      periodNs: 10_000_000,
      deadlineNs: 10_000_000,
      lengthBytes: 614_400,
      payload: { kind: 'file', path: 'README.md' },
      jitterNs: 0,
      offsetNs: 0,
      priority: null,
      creditBytes: 2 ** 30,
      after: null,
      computeNs: 0,
    })
    expect(scenario.broker).toEqual({
      placement: 'floating',
      dedicatedCore: 3,
      scheduler: 'edf',
      chunkBytes: 4096,
      toleranceNs: null,
      regulator: { kind: 'budget', budgetNs: 500_000, periodNs: 1_000_000 },
      transfer: 'copy',
      remapThresholdBytes: null,
      colorPolicy: 'accept',
      poolColors: 0,
      sparePages: 0,
      lentPages: 512,
      flushPages: 64,
      memguard: 'service',
      interrupts: INTERRUPT_PRESETS.minimum,
      chaining: 'adaptive',
    })
    expect(scenario.overrides).toEqual({ dmaBytesPerNs: 1, chunkOverheadNs: [3000, 3000], messageOverheadNs: 1000 })
  })

  it('means the same as JSON, with spaces or tabs', () => {
    const value = parse(EXAMPLE)
    for (const space of [undefined, 2, '\t']) {
      const text = JSON.stringify(value, null, space)
      expect(parseScenario(text, { path: 'scenario.json' })).toEqual(parseScenario(EXAMPLE))
    }
  })

  it('needs only VMs and flows', () => {
    const scenario = parseScenario(`
      vms: [{ name: a, core: 0, cid: 3 }, { name: b, core: 1, cid: 4 }]
      flows: [{ name: f, from: a, to: b, period: 1ms, length: 1KiB }]`)
    expect(scenario).toMatchObject({ platform: 'zcu102', seed: 1, durationNs: 1e9 })
    expect(scenario.flows[0]).toMatchObject({ deadlineNs: 1_000_000, lengthBytes: 1024, payload: { kind: 'random' } })
    expect(scenario.broker).toMatchObject({ placement: 'floating', scheduler: 'edf', regulator: { kind: 'none' } })
    expect(scenario.overrides).toEqual({ dmaBytesPerNs: null, chunkOverheadNs: null, messageOverheadNs: null })
  })

  it('reads every kind of regulator', () => {
    const regulator = (text: string) =>
      parseScenario(changed('{ kind: budget, budget: 500us, period: 1ms }', text)).broker.regulator
    expect(regulator('none')).toEqual({ kind: 'none' })
    expect(regulator('{ kind: rate, bytesPerNs: 0.5 }')).toEqual({ kind: 'rate', bytesPerNs: 0.5 })
    expect(regulator('{ kind: bucket, bytesPerNs: 0.5, burst: 64KiB }')).toEqual({
      kind: 'bucket',
      bytesPerNs: 0.5,
      burstBytes: 65536,
    })
  })

  it('lets a deadline exceed its period, and a VM use the core of a broker that floats', () => {
    expect(parseScenario(changed('deadline: 5ms', 'deadline: 12ms')).flows[0]?.deadlineNs).toBe(12_000_000)
    expect(vmOnDedicatedCore(parseScenario(EXAMPLE))).toBeNull()
    expect(vmOnDedicatedCore(parseScenario(changed('core: 2', 'core: 3')))?.name).toBe('logger')
  })
})

describe('errors name place, value and cure', () => {
  const cases: [why: string, from: string, to: string, issue: string][] = [
    [
      'a time that is none',
      'period: 10ms',
      'period: "5 parsecs"',
      'scenario.yaml:11:56 flows[1].period: "5 parsecs" is not a time; write a number with ns, us, ms or s, e.g. 5ms',
    ],
    [
      'an ambiguous unit',
      '1MiB',
      '1MB',
      'scenario.yaml:12:84 flows[2].length: "1MB" could mean 1000 or 1024: MB is ambiguous; write MiB (1048576 bytes) or bytes',
    ],
    ['an unknown key', 'seed: 1', 'sede: 1', 'scenario.yaml:3:1 sede: unknown key; did you mean seed?'],
    [
      'an unknown key of a flow',
      'jitter: 0',
      'jiter: 0',
      'scenario.yaml:12:90 flows[2].jiter: unknown key; did you mean jitter?',
    ],
    [
      'a VM that does not exist',
      'from: planner',
      'from: plannr',
      'scenario.yaml:10:28 flows[0].from: "plannr" is not the name of a VM; did you mean planner?',
    ],
    [
      'a flow to itself',
      'to: camera',
      'to: planner',
      'scenario.yaml:10:41 flows[0].to: "planner" is also where the flow comes from; send to another VM',
    ],
    [
      'a reserved cid',
      'cid: 3',
      'cid: 2',
      'scenario.yaml:6:35 vms[0].cid: 2 means the host; use a cid from 3 to 4294967294',
    ],
    [
      'a cid twice',
      'cid: 4',
      'cid: 3',
      'scenario.yaml:7:36 vms[1].cid: 3 is already the cid of vms[0]; choose another cid',
    ],
    [
      'credit that no message fits',
      'length: 65536 }',
      'length: 65536, credit: 64000 }',
      'scenario.yaml:10:100 flows[0].credit: a credit of 64000 bytes never lets a message of 65536 bytes go; make it at least 65536',
    ],
    [
      'a name twice',
      'name: logger',
      'name: camera',
      'scenario.yaml:8:13 vms[2].name: "camera" is already the name of vms[0]; choose another name',
    ],
    [
      'a period of nothing',
      'period: 5ms',
      'period: 0',
      'scenario.yaml:10:57 flows[0].period: 0 is too small; it is at least 1 ns',
    ],
    [
      'jitter beyond the deadline',
      'jitter: 0',
      'jitter: 100ms',
      'scenario.yaml:12:98 flows[2].jitter: a jitter of 100ms leaves nothing of the deadline of 100ms; make the jitter smaller or the deadline longer',
    ],
    [
      'a chunk that is no power of two',
      'chunk: 4096',
      'chunk: 4000',
      'scenario.yaml:17:10 broker.chunk: 4000 is not a power of two from 512 to 65536 bytes; e.g. 4096',
    ],
    [
      'a budget above its period',
      'budget: 500us',
      'budget: 2ms',
      'scenario.yaml:18:38 broker.regulator.budget: a budget of 2ms does not fit the period of 1ms; make it at most the period',
    ],
    [
      'an unknown regulator',
      'kind: budget',
      'kind: bugdet',
      'scenario.yaml:18:22 broker.regulator.kind: "bugdet" is not known here; did you mean budget?',
    ],
    [
      'a missing key',
      'length: 65536',
      'payload: random',
      'scenario.yaml:10:5 flows[0].length: is missing; write a size, e.g. 64KiB',
    ],
    [
      'a quoted number',
      'cid: 5',
      'cid: "5"',
      'scenario.yaml:8:35 vms[2].cid: "5" is not a whole number; remove the quotes',
    ],
    [
      'overheads in the wrong order',
      '[3000, 3000]',
      '[3000, 2us]',
      'scenario.yaml:22:20 overrides.chunkOverheadNs: the best case of 3us is worse than the worst of 2us; write the smaller time first',
    ],
    [
      'a pair that is none',
      '[3000, 3000]',
      '3000',
      'scenario.yaml:22:20 overrides.chunkOverheadNs: 3000 does not fit; write two times, best and worst, e.g. [2us, 3us]',
    ],
    [
      'a run without end',
      'duration: 1s',
      'duration: 100000s',
      'scenario.yaml:4:11 duration: 100000s of these flows are 31000000 messages; use a shorter duration or longer periods: at most 10000000 messages',
    ],
    [
      'RAM without room for a message',
      'cid: 5',
      'cid: 5, ram: 1MiB',
      'scenario.yaml:12:84 flows[2].length: a message of 1048576 bytes does not fit the 1048576 bytes of logger; shorten the message or give the VM more ram',
    ],
  ]
  it.each(cases)('%s', (_why, from, to, issue) => {
    expect(issuesOf(changed(from, to))).toEqual([issue])
  })

  it('a VM on the core of a dedicated broker', () => {
    const text = changed('placement: floating', 'placement: dedicated').replace('core: 2', 'core: 3')
    expect(issuesOf(text)).toEqual([
      'scenario.yaml:8:27 vms[2].core: core 3 belongs to the dedicated broker; move the VM, choose another dedicatedCore, or use placement: floating',
    ])
  })

  it('an empty file, a list, broken YAML and JSON, and a name that is not there', () => {
    expect(issuesOf('')).toEqual(['scenario.yaml:1:1 the file is empty; write keys and values, at least vms and flows'])
    expect(issuesOf('- 1')[0]).toBe(
      'scenario.yaml:1:1 a list is not a scenario; write keys and values, at least vms and flows',
    )
    expect(issuesOf('vms: [1\nflows: 2')[0]).toMatch(/^scenario\.yaml:2:1 Flow sequence .*; correct the YAML$/)
    expect(issuesOf('{ "vms": 1, }', 'a.json')[0]).toMatch(/^a\.json:1:\d+ .*JSON.*; correct the JSON$/)
    expect(issuesOf('{}', 'a.json')).toEqual([
      'a.json:1:1 vms: is missing; list at least one VM',
      'a.json:1:1 flows: is missing; list at least one flow',
    ])
  })

  it('all of them at once, in the order of the file, with code and parts for programs', () => {
    const text = changed('cid: 3', 'cid: 1').replace('period: 5ms', 'period: fast').replace('chunk: 4096', 'chunk: 1')
    try {
      parseScenario(text)
      expect.unreachable()
    } catch (error) {
      const { code, issues } = error as ScenarioError
      expect(code).toBe('SCENARIO')
      expect(issues.map((issue) => issue.path)).toEqual(['vms[0].cid', 'flows[0].period', 'broker.chunk'])
      expect(issues[1]).toMatchObject({ line: 10, value: 'fast', message: '"fast" is not a time' })
    }
  })

  it('finds its place through an alias', () => {
    const text = `
vms: [{ name: a, core: 0, cid: 3 }, { name: b, core: 1, cid: 4 }]
flows:
  - &f { name: f, from: a, to: b, period: soon, length: 1 }
  - *f`
    expect(issuesOf(text).filter((issue) => issue.includes('soon'))).toHaveLength(2)
    expect(issuesOf(text)).toContainEqual(expect.stringMatching(/^scenario\.yaml:4:43 flows\[1\]\.period/))
  })
})

describe('hostile text', () => {
  /** Only a `ScenarioError` may come out, and every issue has a place and a cure. */
  it('lines end with a line feed, or with a carriage return and one; what a lone carriage return would swallow is not lost', () => {
    expect(issuesOf(EXAMPLE.replaceAll('\n', '\r\n'))).toEqual([])
    expect(issuesOf(EXAMPLE.replaceAll('\n', '\r'))[0]).toContain('a carriage return without a line feed')
    const [first, ...more] = EXAMPLE.split('\n')
    const issues = issuesOf([`${first} # note\r${more[0]}`, ...more.slice(1)].join('\n'))
    expect(issues.join('\n')).toMatch(/^scenario\.yaml:1:\d+ a carriage return without a line feed/)
    expect(issues.join('\n')).toContain('end lines with a line feed')
  })

  function survives(text: string, format: 'yaml' | 'json'): void {
    try {
      parseScenario(text, { format })
    } catch (error) {
      if (!(error instanceof ScenarioError)) throw error
      expect(error.issues.length).toBeGreaterThan(0)
      for (const issue of error.issues) {
        expect(issue.line).toBeGreaterThan(0)
        expect(issue.column).toBeGreaterThan(0)
        expect(issue.message).not.toBe('')
        expect(issue.fix).not.toMatch(/^(undefined)?$/)
      }
    }
  }

  const format = fc.constantFrom('yaml' as const, 'json' as const)

  it('any string', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), format, (text, kind) => survives(text, kind)),
      { numRuns: 1000 },
    )
  })

  it('the example with characters replaced, removed and inserted', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        '[',
        ']',
        '{',
        '}',
        ':',
        '-',
        '&a ',
        '*a',
        '!',
        '|',
        '\t',
        '\n',
        '"',
        '1e999',
        '.nan',
        'null',
        '<<: ',
      ),
      fc.string({ maxLength: 4 }),
    )
    const edit = fc.tuple(fc.nat(EXAMPLE.length), fc.nat(12), piece)
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 6 }), (edits) => {
        let text = EXAMPLE
        for (const [at, remove, insert] of edits) text = text.slice(0, at) + insert + text.slice(at + remove)
        survives(text, 'yaml')
      }),
      { numRuns: 1500 },
    )
  })

  it.each(['example.yaml', 'keys.yaml'])('%s with any value in any place', (file) => {
    const value = parse(readFileSync(new URL(file, import.meta.url), 'utf8'))
    const places: string[][] = []
    const collect = (node: unknown, path: string[]) => {
      places.push(path)
      if (typeof node !== 'object' || node === null) return
      for (const [key, item] of Object.entries(node)) collect(item, [...path, key])
    }
    collect(value, [])
    fc.assert(
      fc.property(fc.constantFrom(...places), fc.jsonValue({ maxDepth: 3 }), (path, replacement) => {
        survives(JSON.stringify(replaced(value, path, replacement)), 'json')
      }),
      { numRuns: 1500 },
    )
  })

  it('depth, size, aliases without end, and keys of prototypes', () => {
    const bomb = `a: &a [x, x, x, x, x, x, x, x, x]\n${[...'bcdefghi'].map((name, i) => `${name}: &${name} [${`*${'abcdefgh'[i]}, `.repeat(9)}]`).join('\n')}`
    for (const text of [
      '['.repeat(100_000),
      '{a: '.repeat(50_000),
      '- '.repeat(50_000),
      'x'.repeat(2 ** 21),
      bomb,
      'vms: *nobody',
    ]) {
      survives(text, 'yaml')
      survives(text, 'json')
    }
    expect(issuesOf('{"__proto__": {"vms": []}, "constructor": 1}', 'a.json').join('\n')).toContain(
      '__proto__: unknown key',
    )
  })
})

function replaced(node: unknown, path: readonly string[], replacement: unknown): unknown {
  const [step, ...rest] = path
  if (step === undefined) return replacement
  const copy = structuredClone(node) as Record<string, unknown>
  copy[step] = replaced(copy[step], rest, replacement)
  return copy
}
