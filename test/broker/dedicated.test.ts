/** What cores of VMs tell a dedicated broker: nothing that it will look at anyway, so that a guest which kicks at full speed costs it no interrupt more. */
import { describe, expect, it } from 'vitest'
import { DedicatedBroker, type Relay } from '../../src/broker/index.ts'
import { BrokerCause, type PlatformPort } from '../../src/platform/index.ts'

const [VM_CORE, BROKER_CORE] = [0, 3]
const [RECEIVE, TRANSMIT] = [0, 1]

/** Of one VM, at the borders of the broker: when it has rested, whether its refill matters, whether a reset of it comes to an end. */
function machine() {
  const state = { restsUntilNs: 0, mayFeed: false, attached: true, fetches: 0, detaches: 0, ipis: 0, timerNs: -1 }
  const relay = {
    endpoints: [{ vm: 0 }],
    beginStep: () => {},
    restsUntilNs: () => state.restsUntilNs,
    mayFeed: () => state.mayFeed,
    isAttached: () => state.attached,
    refilled: () => {},
    timerFired: () => {},
    fetch: () => {
      state.fetches++
      return false
    },
    detach: () => {
      state.detaches++
      state.attached = false
      return false
    },
    answerLater: (_core: number, timeNs: number) => {
      state.timerNs = timeNs
    },
    dropLost: () => false,
    moveByCpu: () => false,
    announce: () => false,
    dispatch: () => {},
    releaseHeld: () => {},
  }
  const port = { sendIpi: () => state.ipis++ }
  const broker = new DedicatedBroker(port as unknown as PlatformPort, relay as unknown as Relay, BROKER_CORE)
  return {
    state,
    kick: (queue: number) => broker.enter(VM_CORE, BrokerCause.doorbell, queue),
    reset: () => broker.enter(VM_CORE, BrokerCause.detach, 0),
    step: () => broker.resume(BROKER_CORE),
  }
}

describe('the dedicated broker', () => {
  it('is told once of what it has not looked at', () => {
    const { state, kick, step } = machine()
    for (let i = 0; i < 20; i++) kick(TRANSMIT)
    expect(state.ipis).toBe(1)
    step()
    expect(state.fetches).toBe(1)
    kick(TRANSMIT)
    expect(state.ipis).toBe(2)
  })

  it('is not told of who rests, and looks when the rest is over', () => {
    const { state, kick, step } = machine()
    state.restsUntilNs = 500
    step()
    expect(state.timerNs).toBe(500)
    for (let i = 0; i < 20; i++) kick(TRANSMIT)
    step()
    expect([state.ipis, state.fetches]).toEqual([0, 0])
    state.restsUntilNs = 0
    step()
    expect([state.fetches, state.timerNs]).toEqual([1, Number.POSITIVE_INFINITY])
  })

  it('is told of a refill when there may be enough', () => {
    const { state, kick } = machine()
    kick(RECEIVE)
    expect(state.ipis).toBe(0)
    state.mayFeed = true
    for (let i = 0; i < 20; i++) kick(RECEIVE)
    expect(state.ipis).toBe(1)
  })

  it('is told once of a reset, and of none while the VM rests', () => {
    const { state, reset, step } = machine()
    for (let i = 0; i < 20; i++) reset()
    expect(state.ipis).toBe(1)
    step()
    reset()
    expect([state.ipis, state.detaches]).toEqual([1, 1])
    state.attached = true
    state.restsUntilNs = 500
    for (let i = 0; i < 20; i++) reset()
    expect(state.ipis).toBe(1)
  })
})
