/** The keys of page colours, MemGuard, guest tasks, interrupt techniques, zero-copy, and flows that release each other. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { INTERRUPT_PRESETS, parseScenario, ScenarioError } from '../../src/scenario/index.ts'

const KEYS = readFileSync(new URL('./keys.yaml', import.meta.url), 'utf8')

function changed(from: string, to: string): string {
  expect(KEYS).toContain(from)
  return KEYS.replace(from, to)
}

function issuesOf(text: string): string[] {
  try {
    parseScenario(text, { path: 's.yaml' })
  } catch (error) {
    expect(error).toBeInstanceOf(ScenarioError)
    return (error as ScenarioError).message.split('\n')
  }
  return []
}

describe('what is read', () => {
  const scenario = parseScenario(KEYS)

  it('platform and calibration as files', () => {
    expect(scenario).toMatchObject({ platform: 'file:my-board.yaml', calibration: 'file:measured.yaml' })
  })

  it('VMs: colours as a range or a list, load, budget, tasks with default deadlines', () => {
    expect(scenario.vms.map(({ colors }) => colors)).toEqual([[0, 1, 2, 3], [4, 5], null])
    expect(scenario.vms.map(({ refillsPerUs }) => refillsPerUs)).toEqual([2.5, 0, 0])
    expect(scenario.vms.map(({ buffers }) => buffers)).toEqual(['page-aligned', 'unaligned', 'page-aligned'])
    expect(scenario.vms.map(({ memguard }) => memguard)).toEqual([null, { refills: 20_000, periodNs: 1_000_000 }, null])
    expect(scenario.vms[2]!.tasks).toEqual([
      { name: 'plan', periodNs: 10_000_000, wcetNs: 2_000_000, deadlineNs: 8_000_000, priority: 1 },
      { name: 'log', periodNs: 100_000_000, wcetNs: 5_000_000, deadlineNs: 100_000_000, priority: null },
    ])
  })

  it('flows after flows, and chains', () => {
    expect(scenario.flows.map(({ after, computeNs }) => [after, computeNs])).toEqual([
      [null, 0],
      ['frames', 3_000_000],
      ['objects', 0],
    ])
    expect(scenario.chains).toEqual([
      { name: 'reaction', flows: ['frames', 'objects', 'commands'], deadlineNs: 60_000_000 },
    ])
  })

  it('the broker', () => {
    expect(scenario.broker).toMatchObject({
      transfer: 'auto',
      remapThresholdBytes: 65536,
      colorPolicy: 'pool',
      poolColors: 2,
      sparePages: 512,
      lentPages: 512,
      flushPages: 64,
      memguard: 'retarget',
    })
    expect(parseScenario(changed('  poolColors: 2\n', '')).broker.poolColors).toBe(1)
  })

  it('how early messages may come: from 50 us on', () => {
    const given = (text: string) =>
      parseScenario(changed('transfer: auto', `transfer: auto\n  tolerance: ${text}`)).broker
    expect(given('50us').toleranceNs).toBe(50_000)
    expect(() => given('49us')).toThrow(/broker.tolerance/)
  })

  it('how many pages: where there is something to count', () => {
    const { broker } = parseScenario(changed('poolColors: 2', 'poolColors: 2\n  sparePages: 0\n  flushPages: 100'))
    expect(broker).toMatchObject({ sparePages: 0, flushPages: 100 })
    const lent = changed('transfer: auto', 'transfer: lend').replace('poolColors: 2', 'lentPages: 9')
    expect(parseScenario(lent).broker).toMatchObject({ lentPages: 9, sparePages: 0 })
  })

  it('interrupts: a preset, or switches over those of `minimum`', () => {
    const interrupts = (text: string) =>
      parseScenario(KEYS.replace(/interrupts: .*/, `interrupts: ${text}`)).broker.interrupts
    expect(scenario.broker.interrupts).toEqual({
      ...INTERRUPT_PRESETS.minimum,
      preset: 'custom',
      eventIdx: false,
      coalesceCount: 4,
      coalesceDelayNs: 200_000,
    })
    expect(interrupts('{ polling: 100us, lazyReclaim: false }')).toEqual({
      ...INTERRUPT_PRESETS.minimum,
      preset: 'custom',
      lazyReclaim: false,
      pollingNs: 100_000,
    })
    expect(interrupts('plain')).toEqual(INTERRUPT_PRESETS.plain)
    expect(interrupts('minimum')).toEqual(INTERRUPT_PRESETS.minimum)
    expect(interrupts('')).toEqual(INTERRUPT_PRESETS.minimum)
  })
})

describe('errors name place, value and cure', () => {
  const counts: [why: string, transfer: string, line: string, issue: string][] = [
    [
      'whole TLBs without remapping',
      'copy',
      'flushPages: 100',
      'nothing is remapped where transfer is copy; use transfer: auto, or leave it out',
    ],
    [
      'spare pages where none goes back',
      'lend',
      'sparePages: 64',
      'the exchange pool has pages of its own only where pages of reserved colours are exchanged; use transfer: auto and colorPolicy: pool, or leave it out',
    ],
    [
      'loans where none is given',
      'auto',
      'lentPages: 100',
      'no pages are lent where transfer is auto; use transfer: lend, or leave it out',
    ],
    ['a flush of nothing', 'auto', 'flushPages: 0', '0 is too small; it is 1 to 262144'],
  ]
  it.each(counts)('%s', (_why, transfer, line, issue) => {
    const text = changed('transfer: auto', `transfer: ${transfer}`).replace('  remapThreshold: 64KiB', `  ${line}`)
    const key = line.split(':')[0]!
    expect(issuesOf(text)).toEqual([`s.yaml:21:${key.length + 5} broker.${key}: ${issue}`])
  })

  const cases: [why: string, from: string, to: string, issue: string][] = [
    [
      'a calibration that is no file',
      'calibration: file:measured.yaml',
      'calibration: measured.yaml',
      's.yaml:3:14 calibration: "measured.yaml" is not a file; write file:PATH',
    ],
    ['colours backwards', 'colors: 0-3', 'colors: 3-0', 's.yaml:5:46 vms[0].colors: "3-0" runs backwards; write 0-3'],
    [
      'colours that no board has',
      'colors: 0-3',
      'colors: 0-5000',
      's.yaml:5:46 vms[0].colors: "0-5000" goes too far; page colours are 0 to 1023',
    ],
    [
      'a colour twice',
      'colors: [5, 4]',
      'colors: [5, 5]',
      's.yaml:6:50 vms[1].colors: a list contains 5 twice; name each once',
    ],
    [
      'a colour that is no number',
      'colors: [5, 4]',
      'colors: [5, red]',
      's.yaml:6:50 vms[1].colors: a list contains "red"; page colours are whole numbers from 0 to 1023',
    ],
    [
      'no colour',
      'colors: [5, 4]',
      'colors: []',
      's.yaml:6:50 vms[1].colors: a list is empty; list at least one of the page colours',
    ],
    [
      'an unknown layout of buffers',
      'buffers: unaligned',
      'buffers: unalined',
      's.yaml:6:67 vms[1].buffers: "unalined" is not known here; did you mean unaligned?',
    ],
    [
      'a budget without a period',
      'memguard: { refills: 20000, period: 1ms }',
      'memguard: { refills: 20000 }',
      's.yaml:6:88 vms[1].memguard.period: is missing; write a time, e.g. 5ms',
    ],
    [
      'a budget of nothing',
      'refills: 20000',
      'refills: 0',
      's.yaml:6:99 vms[1].memguard.refills: 0 is too small; it is 1 to 4294967295',
    ],
    [
      'a negative load',
      'refillsPerUs: 2.5',
      'refillsPerUs: -1',
      's.yaml:5:65 vms[0].refillsPerUs: -1 is not a number of refills per us; write a number from 0 to 1000000',
    ],
    [
      'a task that cannot finish',
      'wcet: 2ms',
      'wcet: 9ms',
      's.yaml:11:43 vms[2].tasks[0].wcet: a wcet of 9ms does not fit the deadline of 8ms; make it at most the deadline',
    ],
    [
      'a task twice',
      'name: log',
      'name: plan',
      's.yaml:12:17 vms[2].tasks[1].name: "plan" is already the name of vms[2].tasks[0]; choose another name',
    ],
    [
      'an unknown key of a task',
      'wcet: 5ms',
      'wcte: 5ms, wcet: 5ms',
      's.yaml:12:37 vms[2].tasks[1].wcte: unknown key; did you mean wcet?',
    ],
    [
      'after a flow that does not exist',
      'after: frames',
      'after: frame',
      's.yaml:15:89 flows[1].after: "frame" is not the name of a flow; did you mean frames?',
    ],
    [
      'from elsewhere than the flow before arrives',
      'from: perception, to: planner',
      'from: camera, to: planner',
      's.yaml:15:28 flows[1].from: "camera" is not where frames arrives; write from: perception, or come after another flow',
    ],
    [
      'another period than the flow before',
      'period: 20ms, length: 512',
      'period: 10ms, length: 512',
      's.yaml:16:58 flows[2].period: a period of 10ms is not that of objects, which releases this flow; write period: 20ms',
    ],
    [
      'an offset where no timer releases',
      'after: objects',
      'after: objects, offset: 1ms',
      's.yaml:16:101 flows[2].offset: the arrival of objects releases this flow, not a timer; use compute for the time between, or leave the offset out',
    ],
    [
      'computing from nothing',
      'length: 1MiB',
      'length: 1MiB, compute: 1ms',
      's.yaml:14:88 flows[0].compute: a timer releases this flow: there is nothing to compute from; name a flow in after, or leave compute out',
    ],
    [
      'a chain of an unknown flow',
      'flows: [frames, objects, commands]',
      'flows: [frames, objects, comands]',
      's.yaml:18:48 chains[0].flows[2]: "comands" is not the name of a flow; did you mean commands?',
    ],
    [
      'a chain out of order',
      'flows: [frames, objects, commands]',
      'flows: [frames, commands]',
      's.yaml:18:39 chains[0].flows[1]: commands does not come after frames; give flow commands the key after: frames',
    ],
    [
      'a chain without flows',
      'flows: [frames, objects, commands]',
      'flows: []',
      's.yaml:18:30 chains[0].flows: is empty; list at least one flow',
    ],
    [
      'a chain without deadline',
      ', deadline: 60ms }',
      ' }',
      's.yaml:18:5 chains[0].deadline: is missing; write a time, e.g. 5ms',
    ],
    [
      'a threshold without remapping',
      'transfer: auto',
      'transfer: copy',
      's.yaml:21:19 broker.remapThreshold: nothing is remapped where transfer is copy; use transfer: auto, or leave it out',
    ],
    [
      'a pool that the policy does not use',
      'colorPolicy: pool',
      'colorPolicy: refuse',
      's.yaml:23:15 broker.poolColors: no colours are reserved where colorPolicy is refuse; use colorPolicy: pool, or leave it out',
    ],
    [
      'an unknown preset',
      'interrupts: { eventIdx: false, coalesce: { count: 4, delay: 200us } }',
      'interrupts: minimal',
      's.yaml:25:15 broker.interrupts: "minimal" is not known here; did you mean minimum?',
    ],
    [
      'a switch that is no switch',
      'eventIdx: false',
      'eventIdx: 0',
      's.yaml:25:27 broker.interrupts.eventIdx: 0 is neither true nor false; write true or false',
    ],
    [
      'coalescing by count alone, which may wait for ever',
      'count: 4, delay: 200us',
      'count: 4',
      's.yaml:25:44 broker.interrupts.coalesce.delay: is missing; write a time, e.g. 5ms',
    ],
    [
      'coalescing one message',
      'count: 4',
      'count: 1',
      's.yaml:25:53 broker.interrupts.coalesce.count: 1 is too small; it is 2 to 32768',
    ],
    [
      'a core with two budgets',
      'core: 1, cid: 4',
      'core: 0, cid: 4',
      's.yaml:6:88 vms[1].memguard: a core has one budget, and that of vms[0] on core 0 is another; make both the same',
    ],
    [
      'polling without end',
      'coalesce: { count: 4, delay: 200us }',
      'polling: 5ns',
      's.yaml:25:43 broker.interrupts.polling: 1s of polling every 5ns are 600000000 polls; poll less often: at most 10000000 times',
    ],
    [
      'polling and coalescing',
      'eventIdx: false',
      'polling: 50us',
      's.yaml:25:42 broker.interrupts.coalesce: a receiver that polls has no interrupts to coalesce; choose one of polling and coalesce',
    ],
  ]
  it.each(cases)('%s', (_why, from, to, issue) => {
    expect(issuesOf(changed(from, to))).toEqual([issue])
  })

  it('flows that release each other in a circle, told once', () => {
    const circle = changed('length: 1MiB', 'length: 1MiB, after: commands')
    expect(issuesOf(circle)).toEqual([
      's.yaml:14:86 flows[0].after: nothing starts this circle: frames after commands after objects after frames; let a timer release one of them',
    ])
    const tail = `${KEYS.replace('length: 1MiB', 'length: 1MiB, after: commands').replace(
      'flows:\n',
      'flows:\n  - { name: echo, from: perception, to: camera, period: 20ms, length: 1, after: frames }\n',
    )}`
    expect(issuesOf(tail).filter((issue) => issue.includes('circle'))).toEqual([
      expect.stringContaining('flows[1].after: nothing starts this circle: frames after commands'),
    ])
  })
})
