/** The interrupt table of the model: what one message of n pieces costs under each design, exactly. */
import { describe, expect, it } from 'vitest'
import { type DesignResult, simulate } from '../../src/platform-zcu102/index.ts'
import {
  type BrokerSpec,
  INTERRUPT_PRESETS,
  type InterruptSpec,
  parseScenario,
  type Scenario,
} from '../../src/scenario/index.ts'

const CHUNK = 4096

/** One message of n pieces from core 0 to core 1, nothing else. */
function oneMessage(pieces: number, broker: Partial<BrokerSpec>): Scenario {
  const scenario = parseScenario(`
costs: typical
duration: 50ms
vms:
  - { name: sender, core: 0, cid: 3 }
  - { name: receiver, core: 1, cid: 4 }
flows:
  - { name: only, from: sender, to: receiver, period: 50ms, length: ${pieces * CHUNK - 1}, payload: random }
broker: { regulator: { kind: none } }
`)
  return { ...scenario, broker: { ...scenario.broker, ...broker } }
}

function run(pieces: number, design: 'dedicated' | 'floating', broker: Partial<BrokerSpec> = {}): DesignResult {
  const result = simulate(oneMessage(pieces, broker), { design, payload: () => null })
  expect(result).toMatchObject({ messagesSent: 1, messagesDelivered: 1, payloadMismatches: 0, violations: 0 })
  return result
}

describe.each([1, 2, 3, 17, 100, 1000])('a message of %i pieces', (n) => {
  it('dedicated: n + 2 IPIs between cores, n + 1 interrupts and 2 + 2n exits on VM cores', () => {
    const { crossCoreIpis, vmInterrupts, vmExits } = run(n, 'dedicated')
    expect({ crossCoreIpis, vmInterrupts, vmExits }).toEqual({
      crossCoreIpis: n + 2,
      vmInterrupts: n + 1,
      vmExits: 2 + 2 * n,
    })
  })

  it('floating, plain: 1 IPI to the sender that asks for it, n + 1 interrupts, 1 + 2n exits and that of the IPI', () => {
    const { crossCoreIpis, vmInterrupts, vmExits } = run(n, 'floating', {
      interrupts: INTERRUPT_PRESETS.plain,
      chaining: 'piece',
    })
    expect({ crossCoreIpis, vmInterrupts, vmExits }).toEqual({
      crossCoreIpis: 1,
      vmInterrupts: n + 1,
      vmExits: 1 + 2 * n + 1,
    })
  })

  it('floating, minimum: no IPI, 1 interrupt, 2 exits', () => {
    const { crossCoreIpis, vmInterrupts, vmExits } = run(n, 'floating')
    expect({ crossCoreIpis, vmInterrupts, vmExits }).toEqual({ crossCoreIpis: 0, vmInterrupts: 1, vmExits: 2 })
  })
})

const counts = ({ crossCoreIpis, vmInterrupts, vmExits, virtualInterrupts }: DesignResult) => ({
  crossCoreIpis,
  vmInterrupts,
  vmExits,
  virtualInterrupts,
})

/** What `plain` becomes with some of the switches. */
const plainWith = (switches: Partial<InterruptSpec>): InterruptSpec => ({
  ...INTERRUPT_PRESETS.plain,
  ...switches,
  preset: 'custom',
})

describe('one switch at a time, floating, piece after piece', () => {
  const n = 17
  const byPiece = (switches: Partial<InterruptSpec>) =>
    counts(run(n, 'floating', { interrupts: plainWith(switches), chaining: 'piece' }))
  const plain = { crossCoreIpis: 1, vmInterrupts: n + 1, vmExits: 2 * n + 2, virtualInterrupts: n + 1 }

  it('none', () => expect(byPiece({})).toEqual(plain))

  it.each([false, true])('lazy reclaim spares the sender its interrupt, EVENT_IDX %s', (eventIdx) => {
    expect(byPiece({ lazyReclaim: true, eventIdx })).toEqual({
      ...plain,
      crossCoreIpis: 0,
      vmInterrupts: n,
      vmExits: (eventIdx ? n : 2 * n) + 1,
      virtualInterrupts: n,
    })
  })

  it('EVENT_IDX spares the receiver its traps too, as long as the broker finds buffers', () => {
    expect(byPiece({ eventIdx: true })).toEqual({ ...plain, vmExits: n + 2 })
  })

  it.each([false, true])('suppressed refills spare the receiver its traps, EVENT_IDX %s', (eventIdx) => {
    expect(byPiece({ suppressRefill: true, eventIdx })).toEqual({ ...plain, vmExits: n + 2 })
  })

  it.each([false, true])('polling spares the receiver its virtual interrupts, EVENT_IDX %s', (eventIdx) => {
    const polled = byPiece({ pollingNs: 100_000, lazyReclaim: true, eventIdx })
    expect(polled).toMatchObject({ crossCoreIpis: 0, vmInterrupts: n, virtualInterrupts: 0 })
    // Refills are kicked once a poll.
    expect(polled.vmExits).toBeLessThan(2 * n)
  })

  it('coalescing interrupts once for a message of many pieces, by its timer', () => {
    const delayed = byPiece({ coalesceCount: 4, coalesceDelayNs: 1_000_000, lazyReclaim: true })
    expect(delayed).toEqual({ crossCoreIpis: 0, vmInterrupts: n + 1, vmExits: n + 3, virtualInterrupts: 1 })
  })
})

describe('a burst of small messages', () => {
  /** Six messages, 20 us apart. */
  function burst(interrupts: InterruptSpec): DesignResult {
    const scenario = oneMessage(1, { interrupts })
    const [flow] = scenario.flows
    const flows = [{ ...flow!, periodNs: 20_000, lengthBytes: 100 }]
    return simulate({ ...scenario, flows, durationNs: 120_000 }, { design: 'floating', payload: () => null })
  }

  it('one interrupt for each, unless they are coalesced', () => {
    expect(burst(INTERRUPT_PRESETS.minimum)).toMatchObject({
      messagesDelivered: 6,
      virtualInterrupts: 6,
      vmInterrupts: 6,
    })
  })

  it.each([
    [2, 3],
    [3, 2],
    [6, 1],
  ])('%i at a time: %i interrupts, and no timer fires', (coalesceCount, interrupts) => {
    const spec: InterruptSpec = {
      ...INTERRUPT_PRESETS.minimum,
      preset: 'custom',
      coalesceCount,
      coalesceDelayNs: 500_000,
    }
    const { virtualInterrupts, vmInterrupts, flows } = burst(spec)
    expect({ virtualInterrupts, vmInterrupts }).toEqual({ virtualInterrupts: interrupts, vmInterrupts: 6 })
    expect(flows.only!.responseTimeNs!.max).toBeLessThan(20_000 * coalesceCount)
  })

  it('4 at a time: the rest is told when its time is up', () => {
    const spec = plainWith({ coalesceCount: 4, coalesceDelayNs: 50_000 })
    const { virtualInterrupts, messagesDelivered, flows } = burst({ ...spec, lazyReclaim: true })
    expect({ virtualInterrupts, messagesDelivered }).toEqual({ virtualInterrupts: 2, messagesDelivered: 6 })
    const { max } = flows.only!.responseTimeNs!
    expect(max).toBeGreaterThan(50_000)
    expect(max).toBeLessThan(60_000)
  })
})

describe('between VMs of one core', () => {
  function sameCore(lengthBytes: number, interrupts: InterruptSpec): DesignResult {
    const scenario = oneMessage(1, { interrupts })
    const vms = scenario.vms.map((vm) => ({ ...vm, core: 2 }))
    const flows = scenario.flows.map((flow) => ({ ...flow, lengthBytes }))
    const result = simulate({ ...scenario, vms, flows }, { design: 'floating', payload: () => null })
    expect(result).toMatchObject({ messagesDelivered: 1, payloadMismatches: 0, violations: 0 })
    return result
  }
  const { minimum } = INTERRUPT_PRESETS

  it.each([1, 100, 400])('%i bytes: no IPI and no interrupt of the DMA, one exit', (lengthBytes) => {
    expect(counts(sameCore(lengthBytes, minimum))).toEqual({
      crossCoreIpis: 0,
      vmInterrupts: 0,
      vmExits: 1,
      virtualInterrupts: 1,
    })
  })

  it.each([4096, 40_960, 4_096_000])('%i bytes: no IPI, the DMA interrupts', (lengthBytes) => {
    expect(counts(sameCore(lengthBytes, minimum))).toEqual({
      crossCoreIpis: 0,
      vmInterrupts: 1,
      vmExits: 2,
      virtualInterrupts: 1,
    })
  })

  it('short messages interrupt where the switch is off, and arrive later', () => {
    const waited = sameCore(100, minimum)
    const interrupted = sameCore(100, { ...minimum, preset: 'custom', waitForShort: false })
    expect(counts(interrupted)).toMatchObject({ vmInterrupts: 1, vmExits: 2 })
    expect(interrupted.flows.only!.responseTimeNs!.max).toBeGreaterThan(waited.flows.only!.responseTimeNs!.max)
  })
})
