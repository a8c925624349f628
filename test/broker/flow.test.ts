/** The messages of one flow get their times in the order in which they came, with payload or without: neither kind makes a burst of the other. */
import { describe, expect, it } from 'vitest'
import { FlowState } from '../../src/broker/flow.ts'
import { Message } from '../../src/broker/message-table.ts'

const T = 100
const TOLERANCE = 20

function flowOf(): FlowState {
  return new FlowState({
    source: 0,
    destination: 1,
    periodNs: T,
    deadlineNs: T,
    toleranceNs: TOLERANCE,
    buffers: 4,
    maximumBytes: 4096,
    priority: 0,
  })
}

function append(state: FlowState, kinds: string, nowNs = 0): Message[] {
  return [...kinds].map((kind) => {
    const message = new Message(0)
    message.totalBytes = kind === 'd' ? 1 : 0
    state.append(message, nowNs, 0)
    return message
  })
}

/** Takes each as soon as it may compete; when each did, by kind. */
function serve(state: FlowState, nowNs = 0): { d: number[]; c: number[] } {
  const times = { d: [] as number[], c: [] as number[] }
  for (let now = nowNs; state.first !== null; ) {
    now = Math.max(now, state.first.eligibleNs)
    times[state.first.totalBytes > 0 ? 'd' : 'c'].push(now)
    state.remove(now, 0)
  }
  return times
}

const gaps = (times: readonly number[]) => times.slice(1).map((time, i) => time - times[i]!)

describe('messages of a flow with payload and without', () => {
  it.each(['ccccdddd', 'ddddcccc', 'cdcdcdcd', 'ccddccdd', 'ccccccdddddd', 'dcccccdcccccd'])(
    '%s, all at once: each kind keeps to its rate, whatever it waited behind',
    (kinds) => {
      const state = flowOf()
      append(state, kinds)
      const { d, c } = serve(state)
      expect(d.length + c.length).toBe(kinds.length)
      // A message may be early once by the tolerance.
      d.forEach((from, i) => {
        d.slice(i).forEach((to, k) => {
          expect(k).toBeLessThanOrEqual(Math.floor((to - from + TOLERANCE) / T))
        })
      })
      for (const gap of gaps(c)) expect(gap).toBeGreaterThanOrEqual(T)
    },
  )

  it('do so behind one that waited for receive buffers, too', () => {
    const state = flowOf()
    const [first] = append(state, 'dcdcc')
    first!.fedNs = 1000
    state.remove(1000, 0)
    const { d, c } = serve(state, 1000)
    expect(d).toEqual([1000 + T - TOLERANCE])
    for (const gap of gaps(c)) expect(gap).toBeGreaterThanOrEqual(T)
  })

  it('with payload that are late all together catch up: nothing was early before them', () => {
    const state = flowOf()
    append(state, 'd')
    state.remove(0, 0)
    const [late] = append(state, 'd', 500)
    expect(late!.eligibleNs).toBe(500)
  })
})
