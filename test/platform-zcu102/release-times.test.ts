/** Traces of releases in the machine: every message at its time and as long as it says, bytes and all. */
import { describe, expect, it } from 'vitest'
import { Random } from '../../src/internal/random.ts'
import { longestResponses, predict, simulate } from '../../src/platform-zcu102/index.ts'
import { TraceKind, Track } from '../../src/platform-zcu102/trace-names.ts'
import { parseScenario } from '../../src/scenario/index.ts'
import { TraceRecorder } from '../../src/sim/index.ts'

const TEXT = `
duration: 50ms
vms: [{ name: a, core: 0, cid: 3 }, { name: b, core: 1, cid: 4 }]
flows:
  - { name: f, from: a, to: b, period: 1ms, jitter: 300us, length: 20KiB, releases: f.csv }
  - { name: g, from: a, to: b, period: 4ms, length: 64KiB }
`
const scenario = parseScenario(TEXT)
const random = new Random(5, 1)
const timesNs = Array.from({ length: 60 }, (_, k) => k * 1_000_000 + random.between(0, 300_000))
const lengthsBytes = timesNs.map(() => random.between(1, 20 * 1024))
const releases = () => ({ timesNs, lengthsBytes })

class Begins extends TraceRecorder {
  readonly timesNs: number[] = []
  override begin(kind: number, track: number, timeNs: number, flow: number): void {
    if (kind === TraceKind.message && track >= Track.flow(0) && flow === 0) this.timesNs.push(timeNs)
  }
}

describe.each(['floating', 'dedicated'] as const)('a trace of releases, %s', (design) => {
  it('is replayed until the run ends, with its lengths, and no response is above the bound', () => {
    const seen: number[] = []
    const trace = new Begins({ keep: false, hash: false })
    const result = simulate(scenario, {
      design,
      payload: () => null,
      releases,
      trace,
      onMessage: ({ flow, bytes }) => flow === 'f' && seen.push(bytes.length),
    })
    expect(seen).toEqual(lengthsBytes.slice(0, 50))
    const [first] = trace.timesNs
    expect(trace.timesNs.map((timeNs) => timeNs - first!)).toEqual(
      timesNs.slice(0, 50).map((timeNs) => timeNs - timesNs[0]!),
    )
    expect(result).toMatchObject({ payloadMismatches: 0, violations: 0, messagesDelivered: 50 + 13 })
    expect(result.bytesDelivered).toBe(lengthsBytes.slice(0, 50).reduce((sum, bytes) => sum + bytes) + 13 * 65536)
    const [bound] = predict(scenario, { design }).flows
    expect(result.flows.f!.responseTimeNs!.max).toBeLessThanOrEqual(bound!.endToEndNs!)
  })
})

describe('a trace of releases', () => {
  const run = (trace: ReturnType<typeof releases> | null, text = TEXT) =>
    simulate(parseScenario(text), { design: 'floating', payload: () => null, releases: () => trace })

  it('has to be handed over, and is refused where the flow declares less', () => {
    expect(() => simulate(scenario, { design: 'floating', payload: () => null })).toThrow(
      /replays f\.csv; hand it over/,
    )
    expect(() => run(null)).toThrow(/hand it over/)
    expect(() => run({ timesNs: [0, 600_000], lengthsBytes: [1, 1] })).toThrow(/100us earlier than flow f says/)
    expect(() => run({ timesNs: [0], lengthsBytes: [20 * 1024 + 1] })).toThrow(/are more than the 20480/)
    expect(() => run(releases(), `${TEXT}broker: { transfer: auto }\n`)).toThrow(
      /where pages move a shorter message may take longer/,
    )
  })

  it('changes nothing where it is what the timer does', () => {
    const periodic = TEXT.replace('jitter: 300us, ', '')
    const timer = simulate(parseScenario(periodic.replace(', releases: f.csv', '')), {
      design: 'floating',
      payload: () => null,
    })
    const replayed = run(
      { timesNs: timesNs.map((_, k) => k * 1_000_000), lengthsBytes: timesNs.map(() => 20 * 1024) },
      periodic,
    )
    expect(replayed).toEqual(timer)
  })

  it('is no limit to a search, which takes all that is declared', () => {
    const options = { design: 'floating', runs: 3 } as const
    const without = parseScenario(TEXT.replace(', releases: f.csv', ''))
    expect(longestResponses(scenario, options)).toEqual(longestResponses(without, options))
  })
})
