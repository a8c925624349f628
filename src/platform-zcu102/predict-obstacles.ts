/**
 * Preconditions that a scenario can break: what a message may have to wait for besides the DMA. Where one is broken no bound is
 * given, and the reason is.
 */
import { MAX_QUEUE_SIZE } from '../virtqueue/index.ts'
import { MOST_UNDER_WAY, type System, type SystemFlow } from './predict-system.ts'
import { receiveBuffersOf } from './vm.ts'

export interface Obstacles {
  readonly blocked: readonly boolean[]
  readonly obstacles: readonly string[]
}

/** Half a window is announced at a time: room for that, for what is under way, and for the announcement's own way. */
const CREDIT_MESSAGES = 12

/**
 * `underWay`: messages of a flow between release and the return of all buffers, but for the sender's of lent pages; `withLoans`: those
 * as well.
 */
export function obstaclesOf(
  system: System,
  underWay: (flow: SystemFlow) => number,
  withLoans: (flow: SystemFlow) => number,
): Obstacles {
  const { flows, scenario } = system
  const blocked = flows.map(() => false)
  const obstacles: string[] = []
  const block = (of: (flow: SystemFlow) => boolean, why: string) => {
    obstacles.push(why)
    for (const flow of flows) if (of(flow)) blocked[flow.index] = true
  }
  for (const flow of flows) {
    const messages = withLoans(flow)
    if (messages > MOST_UNDER_WAY && messages < Number.POSITIVE_INFINITY) {
      const lent = messages > underWay(flow) ? ', of which lent pages hold each for a period and more' : ''
      block(
        (other) => other === flow,
        `flow ${flow.name}: its sender may run out of its ${MOST_UNDER_WAY} buffers${lent}`,
      )
    }
    const { creditBytes } = scenario.flows[flow.index]!
    if (flow.creditEvery < Number.POSITIVE_INFINITY && creditBytes < CREDIT_MESSAGES * flow.lengthBytes) {
      block(
        (other) => other === flow,
        `flow ${flow.name}: its sender may wait for credit; ${CREDIT_MESSAGES} messages of credit are enough`,
      )
    }
  }
  scenario.vms.forEach((vm, index) => {
    const incoming = flows.filter(({ destination }) => destination === index)
    const control = flows.filter(
      ({ source, creditEvery }) => source === index && creditEvery < Number.POSITIVE_INFINITY,
    )
    const needed = incoming.reduce(
      // What is only tried to be moved may need one buffer more, for a head.
      (sum, flow) => sum + Math.min(MOST_UNDER_WAY, underWay(flow)) * (flow.pieces + (flow.pages === 'tried' ? 1 : 0)),
      control.length,
    )
    const posted = Math.min(receiveBuffersOf(scenario, index), MAX_QUEUE_SIZE / 2)
    if (needed > posted) {
      block(
        ({ destination }) => destination === index,
        `VM ${vm.name}: ${needed} receive buffers can be in use at once, it has ${posted}`,
      )
    }
  })
  return { blocked, obstacles }
}
