/** An honest guest whose peer says what it likes in its packets: the guest neither stops nor fails, and its other flows go on. */
import { describe, expect, it } from 'vitest'
import { Guest, type GuestFlow } from '../../src/machine/guest.ts'
import { FlowLedger } from '../../src/machine/message-ledger.ts'
import { PayloadSource } from '../../src/machine/payload.ts'
import { CALLING_PORT, LISTENING_PORT } from '../../src/machine/vsock-router.ts'
import { GuestMemory } from '../../src/memory/index.ts'
import { BUFFERS_PER_FLOW, CONTROL_SLOTS } from '../../src/plan/guest-queues.ts'
import {
  readVsockHeader,
  VIRTIO_VSOCK_OP_CREDIT_REQUEST,
  VIRTIO_VSOCK_OP_CREDIT_UPDATE,
  VIRTIO_VSOCK_OP_REQUEST,
  VIRTIO_VSOCK_OP_RESPONSE,
  VIRTIO_VSOCK_OP_RST,
  VIRTIO_VSOCK_OP_RW,
  VIRTIO_VSOCK_OP_SHUTDOWN,
  VSOCK_HEADER_BYTES,
  VsockHeader,
  writeVsockHeader,
} from '../../src/virtio/index.ts'
import { DescriptorChain, layoutSplitQueue, SplitDeviceQueue, SplitDriverQueue } from '../../src/virtqueue/index.ts'

const SIZE = 128
const CID = 3
const [HOSTILE, FRIEND] = [4, 5] as const
const LENGTH = 1000

interface Packet {
  readonly op: number
  readonly dstCid: number
  readonly len: number
}

/** The guest, and the device's side of its two queues. */
class Bench {
  /** That the guest sends. */
  readonly flows: GuestFlow[] = []
  readonly guest: Guest
  readonly delivered: string[] = []
  readonly #memory = new GuestMemory([{ base: 0, size: 1 << 20, buffer: new ArrayBuffer(1 << 20) }])
  readonly #receive: SplitDeviceQueue
  readonly #transmit: SplitDeviceQueue
  readonly #chain = new DescriptorChain()
  readonly #heads: { readonly id: number; readonly cid: number }[] = []

  constructor() {
    const memory = this.#memory
    const places = [0, 1].map((i) => ({ size: SIZE, ...layoutSplitQueue(SIZE, i * 8192), eventIdx: true, index: i }))
    this.#receive = new SplitDeviceQueue(memory, places[0]!)
    this.#transmit = new SplitDeviceQueue(memory, places[1]!)
    let next = 0x8000
    const allocate = (bytes: number, align: number) => {
      const at = Math.ceil(next / align) * align
      next = at + bytes
      return at
    }
    this.guest = new Guest(
      CID,
      {
        memory,
        receive: new SplitDriverQueue(memory, places[0]!),
        transmit: new SplitDriverQueue(memory, places[1]!),
        allocate,
        allocatePayload: allocate,
      },
      { now: () => 1000, onDelivered: (flow) => this.delivered.push(`flow ${flow.index}`) },
      { lazyReclaim: false, polls: false, keepsBytes: true, buffers: 'page-aligned' },
    )
  }

  static flow(index: number, peerCid: number): GuestFlow {
    const payload = new PayloadSource(Uint8Array.of(1, 2, 3))
    return { index, peerCid, lengthBytes: LENGTH, creditBytes: 1 << 20, ledger: new FlowLedger(1e6), payload }
  }

  /** What the guest has sent since the last call; its buffers stay with the device until `complete`. */
  sent(): Packet[] {
    const packets: Packet[] = []
    const bytes = new Uint8Array(VSOCK_HEADER_BYTES)
    const header = new VsockHeader()
    while (this.#transmit.popAvailable(this.#chain)) {
      this.#memory.read(this.#chain.address[0]!, bytes)
      readVsockHeader(bytes, 0, header)
      this.#heads.push({ id: this.#chain.id, cid: header.dstCid })
      packets.push({ op: header.op, dstCid: header.dstCid, len: header.len })
    }
    return packets
  }

  /** Gives the buffers of what went to this peer back. */
  complete(cid: number): void {
    for (const { id } of this.#heads.filter((head) => head.cid === cid)) this.#transmit.addUsed(id, 0)
    this.#transmit.publish()
    const kept = this.#heads.filter((head) => head.cid !== cid)
    this.#heads.splice(0, this.#heads.length, ...kept)
    this.guest.handleInterrupt()
  }

  /** A packet of a peer comes; of flow `flow`, from its sender or back to it. */
  receive(flow: number, srcCid: number, fromSender: boolean, fields: Partial<VsockHeader>): void {
    const ports = [CALLING_PORT + flow, LISTENING_PORT + flow] as const
    const header = Object.assign(new VsockHeader(), {
      srcCid,
      dstCid: CID,
      srcPort: ports[fromSender ? 0 : 1],
      dstPort: ports[fromSender ? 1 : 0],
      type: 1,
      bufAlloc: 1 << 20,
      ...fields,
    })
    expect(this.#receive.popAvailable(this.#chain)).toBe(true)
    const bytes = new Uint8Array(VSOCK_HEADER_BYTES)
    writeVsockHeader(bytes, 0, header)
    this.#memory.write(this.#chain.address[0]!, bytes)
    this.#receive.addUsed(this.#chain.id, VSOCK_HEADER_BYTES + header.len)
    this.#receive.publish()
    this.guest.handleInterrupt()
  }
}

describe('a guest that sends to a hostile receiver, and to a friend', () => {
  function connected(): Bench {
    const bench = new Bench()
    bench.flows.push(Bench.flow(0, HOSTILE), Bench.flow(1, FRIEND))
    for (const flow of bench.flows) bench.guest.addOutgoing(flow)
    bench.guest.start(16)
    expect(bench.sent().map(({ op }) => op)).toEqual([VIRTIO_VSOCK_OP_REQUEST, VIRTIO_VSOCK_OP_REQUEST])
    bench.receive(0, HOSTILE, false, { op: VIRTIO_VSOCK_OP_RESPONSE })
    bench.receive(1, FRIEND, false, { op: VIRTIO_VSOCK_OP_RESPONSE })
    expect(bench.guest.ready).toBe(true)
    return bench
  }

  const release = ({ flows, guest }: Bench) => {
    for (const { index, ledger } of flows) {
      ledger.release(0)
      guest.release(index)
    }
    guest.send()
  }
  const to = (packets: readonly Packet[], cid: number) =>
    packets.filter(({ dstCid, op }) => dstCid === cid && op === VIRTIO_VSOCK_OP_RW)

  it.each([
    ['SHUTDOWN(RECEIVE)', { op: VIRTIO_VSOCK_OP_SHUTDOWN, flags: 1 }],
    ['SHUTDOWN of both', { op: VIRTIO_VSOCK_OP_SHUTDOWN, flags: 3 }],
    ['RST', { op: VIRTIO_VSOCK_OP_RST }],
    ['a buffer of 0 bytes', { op: VIRTIO_VSOCK_OP_CREDIT_UPDATE, bufAlloc: 0 }],
    ['bytes taken that were never sent', { op: VIRTIO_VSOCK_OP_CREDIT_UPDATE, fwdCnt: 5000 }],
    ['a second RESPONSE', { op: VIRTIO_VSOCK_OP_RESPONSE }],
    ['an operation that there is not', { op: 4242 }],
  ])('%s: it stops sending there, and goes on elsewhere', (_, fields) => {
    const bench = connected()
    release(bench)
    expect(to(bench.sent(), HOSTILE)).toHaveLength(1)
    bench.receive(0, HOSTILE, false, fields)
    for (let i = 0; i < 3; i++) release(bench)
    const packets = bench.sent()
    expect(to(packets, HOSTILE)).toEqual([])
    expect(to(packets, FRIEND)).toHaveLength(3)
  })

  it('a flood of CREDIT_REQUESTs uses up the slots of its own connection only', () => {
    const bench = connected()
    bench.complete(HOSTILE)
    bench.complete(FRIEND)
    for (let i = 0; i < 100; i++) bench.receive(0, HOSTILE, false, { op: VIRTIO_VSOCK_OP_CREDIT_REQUEST })
    // None of the answers is ever taken.
    const answers = bench.sent()
    expect(answers.every(({ dstCid, op }) => dstCid === HOSTILE && op === VIRTIO_VSOCK_OP_CREDIT_UPDATE)).toBe(true)
    expect(answers).toHaveLength(CONTROL_SLOTS)
    for (let round = 0; round < 3 * BUFFERS_PER_FLOW; round++) {
      release(bench)
      expect(to(bench.sent(), FRIEND)).toHaveLength(1)
      bench.receive(1, FRIEND, false, { op: VIRTIO_VSOCK_OP_CREDIT_REQUEST })
      expect(bench.sent().filter(({ dstCid }) => dstCid === FRIEND)).toHaveLength(1)
      bench.complete(FRIEND)
    }
  })
})

describe('a guest that receives from a hostile sender', () => {
  it.each([
    ['shorter than declared', [600, 600, 600, 600, 600]],
    ['a byte at a time', Array.from({ length: 3000 }, () => 1)],
    ['longer', [4096]],
    ['empty', [0, 0, 0, 1000, 0, 1000, 1000]],
  ])('messages %s end where the declared length is', (_, lengths) => {
    const bench = new Bench()
    const flow = Bench.flow(0, HOSTILE)
    bench.guest.addIncoming(flow)
    bench.guest.start(16)
    bench.receive(0, HOSTILE, true, { op: VIRTIO_VSOCK_OP_REQUEST })
    for (let i = 0; i < 3; i++) flow.ledger.release(0)
    for (const len of lengths) bench.receive(0, HOSTILE, true, { op: VIRTIO_VSOCK_OP_RW, len })
    const whole = Math.floor(lengths.reduce((sum, bytes) => sum + bytes, 0) / LENGTH)
    expect(flow.ledger.delivered).toBe(Math.min(3, whole))
    expect(bench.delivered).toHaveLength(Math.min(3, whole))
    // One that was never released is counted as what it is.
    if (whole > 3) expect(flow.ledger.mismatches).toBeGreaterThan(0)
  })
})
