/**
 * The abstract machine that the analyses speak of, and nothing else of the system: flows, one serial DMA, its regulator, and the
 * software before each chunk. Event by event in integer ns; independent of src/analysis but for the shape of a flow set.
 *
 * At one instant, in this order: a chunk ends, the budget is refilled, messages are queued, the balance is tested and the best
 * message chosen, and last the messages queued `late`, which a choice at the same instant has not seen.
 */
import type { FlowSet } from 'virtio-sdk/analysis'

export interface SimulatedMessage {
  readonly nominalNs: number
  /** Within the flow's jitter after `nominalNs`, and in order. */
  readonly queuedNs: number
  readonly late?: boolean
}

export interface SimulationInput {
  readonly set: FlowSet
  readonly scheduler: 'fp' | 'edf'
  /** Fixed priority only: smaller is more urgent. */
  readonly ranks: ArrayLike<number>
  /** Of each flow, in order. */
  readonly messages: readonly (readonly SimulatedMessage[])[]
  /** Of the budget at time 0: its balance, and when the next refill comes. Default: a full budget, just refilled. */
  readonly balanceNs?: number
  readonly nextRefillNs?: number
  /** Overhead of one chunk within [best, worst]; default worst. */
  readonly drawOverheadNs?: (bestNs: number, worstNs: number) => number
  /** DMA time of one chunk, at most `worstNs`; default that. */
  readonly drawChunkNs?: (worstNs: number) => number
  /** True when a chunk costs its bytes of the budget however fast it was copied (P2). */
  readonly budgetInBytes?: boolean
  /** How late a refill comes (P2). */
  readonly drawRefillDelayNs?: () => number
  /** Which share of the DMA time that the broker leaves idle others use, overdrawing the budget by up to `idleOverdraftNs` (P5). */
  readonly drawIdleShare?: () => number
  readonly idleOverdraftNs?: number
}

export interface Simulation {
  /** Worst response of each flow, from nominal release to the end of the last chunk; 0 without messages. */
  readonly worstNs: Float64Array
  readonly lateMessages: number
  /** When each chunk of each flow ended. */
  readonly completions: number[][]
}

/** Serves all messages to the end. */
export function simulateChunks(input: SimulationInput): Simulation {
  const { set, messages, drawOverheadNs = (_, worst) => worst, drawChunkNs = (worst) => worst } = input
  const { drawRefillDelayNs = () => 0, drawIdleShare = () => 0, idleOverdraftNs = 0 } = input
  const { dma, regulator, flows } = set
  const [bestNs, worstOverheadNs] = dma.chunkOverheadNs
  const lookAhead = dma.lookAhead ?? 0
  const budget = regulator.kind === 'budget' ? regulator : null
  const budgetNs = budget?.budgetNs ?? 1
  const chunks = flows.map(({ lengthBytes }) => {
    const sizes: number[] = []
    for (let left = lengthBytes; left > 0; left -= dma.chunkBytes) {
      sizes.push(Math.ceil(Math.min(left, dma.chunkBytes) / dma.dmaBytesPerNs))
    }
    return sizes
  })

  const worstNs = new Float64Array(flows.length)
  const completions: number[][] = flows.map(() => [])
  let lateMessages = 0
  const queued = new Int32Array(flows.length) // messages seen, of each flow
  const head = new Int32Array(flows.length) // message whose chunks are being committed
  const chunk = new Int32Array(flows.length) // its next chunk
  const finished = new Int32Array(flows.length) // message whose chunks are being copied
  const copied = new Int32Array(flows.length) // its chunks already copied
  const committed: number[] = []
  const committedFirst: boolean[] = []

  let timeNs = 0
  let balanceNs = budget === null ? Number.POSITIVE_INFINITY : (input.balanceNs ?? budgetNs)
  let nextRefillNs = budget === null ? Number.POSITIVE_INFINITY : (input.nextRefillNs ?? budget.periodNs)
  let refillDueNs = nextRefillNs
  let idleFromNs = 0
  let running = -1
  let copyFromNs = 0
  let charge = 1
  let endNs = Number.POSITIVE_INFINITY

  const pending = (flow: number) => head[flow]! < queued[flow]!
  const choose = (): number => {
    let best = -1
    let bestKey = 0
    for (let flow = 0; flow < flows.length; flow++) {
      if (!pending(flow)) continue
      const key =
        input.scheduler === 'fp'
          ? input.ranks[flow]!
          : messages[flow]![head[flow]!]!.nominalNs + flows[flow]!.deadlineNs
      if (best < 0 || key < bestKey) {
        best = flow
        bestKey = key
      }
    }
    return best
  }
  const commit = (flow: number) => {
    committed.push(flow)
    committedFirst.push(chunk[flow] === 0)
    chunk[flow]!++
    if (chunk[flow] === chunks[flow]!.length) {
      chunk[flow] = 0
      head[flow]!++
    }
  }
  const start = () => {
    running = committed.shift()!
    const messageNs = committedFirst.shift()! ? dma.messageOverheadNs : 0
    copyFromNs = timeNs + messageNs + drawOverheadNs(bestNs, worstOverheadNs)
    const chunkNs = chunks[running]![copied[running]!]!
    const copyNs = drawChunkNs(chunkNs)
    endNs = copyFromNs + copyNs
    if (input.budgetInBytes) charge = chunkNs / copyNs
  }
  const drain = () => {
    if (running >= 0 || choose() >= 0) return
    const mostNs = Math.min(balanceNs + idleOverdraftNs, timeNs - idleFromNs)
    balanceNs -= Math.floor(drawIdleShare() * mostNs)
    idleFromNs = timeNs
  }
  const dispatch = () => {
    for (;;) {
      if (running < 0 && committed.length > 0) start()
      const room = running < 0 ? 1 : lookAhead - committed.length
      if (room <= 0 || balanceNs <= 0) return
      const flow = choose()
      if (flow < 0) return
      commit(flow)
    }
  }
  const admit = (late: boolean) => {
    for (let flow = 0; flow < flows.length; flow++) {
      const own = messages[flow]!
      while (queued[flow]! < own.length) {
        const message = own[queued[flow]!]!
        if (message.queuedNs > timeNs || (message.late === true && message.queuedNs === timeNs && !late)) break
        queued[flow]!++
      }
    }
  }
  const complete = (flow: number) => {
    completions[flow]!.push(timeNs)
    copied[flow]!++
    if (copied[flow]! < chunks[flow]!.length) return
    copied[flow] = 0
    const responseNs = timeNs - messages[flow]![finished[flow]!]!.nominalNs
    finished[flow]!++
    worstNs[flow] = Math.max(worstNs[flow]!, responseNs)
    if (responseNs > flows[flow]!.deadlineNs) lateMessages++
  }

  for (;;) {
    let nextNs = endNs
    let left = running >= 0 || committed.length > 0
    for (let flow = 0; flow < flows.length; flow++) {
      const own = messages[flow]!
      if (queued[flow]! < own.length) nextNs = Math.min(nextNs, own[queued[flow]!]!.queuedNs)
      left ||= finished[flow]! < own.length
    }
    if (!left) return { worstNs, lateMessages, completions }
    nextNs = Math.min(nextNs, nextRefillNs)
    if (running >= 0) balanceNs -= charge * Math.max(0, nextNs - Math.max(timeNs, copyFromNs))
    timeNs = nextNs
    if (timeNs === endNs) {
      complete(running)
      running = -1
      endNs = Number.POSITIVE_INFINITY
      idleFromNs = timeNs
    }
    drain()
    if (timeNs === nextRefillNs) {
      balanceNs = Math.min(budgetNs, balanceNs + budgetNs)
      refillDueNs += budget!.periodNs
      nextRefillNs = refillDueNs + drawRefillDelayNs()
    }
    admit(false)
    dispatch()
    admit(true)
    dispatch()
  }
}
