/** What a hostile guest can do in one turn. Each returns bits of `HostileKick`. */
import { PAGE_SIZE } from '../../memory/index.ts'
import {
  VIRTIO_VSOCK_OP_CREDIT_REQUEST,
  VIRTIO_VSOCK_OP_CREDIT_UPDATE,
  VIRTIO_VSOCK_OP_REQUEST,
  VIRTIO_VSOCK_OP_RST,
  VIRTIO_VSOCK_OP_RW,
  VIRTIO_VSOCK_OP_SHUTDOWN,
  VSOCK_HEADER_BYTES,
  VsockHeader,
  writeVsockHeader,
} from '../../virtio/index.ts'
import type { HostileGuest } from './hostile-guest.ts'
import { HostileKick, RX, TX } from './hostile-kick.ts'
import type { RawBuffer, RawQueue } from './raw-queue.ts'

const BOTH = HostileKick.receive | HostileKick.transmit
/** Of one turn. */
const BURST = 24

/** By name, in the order of docs/hostile.md. */
export const STRATEGIES = {
  /** Doorbells, and nothing behind them: each of them takes the broker's lock. */
  storm: () => BOTH,

  /** Available indices that run ahead, stand still or go back, and heads that are none. */
  indices(guest) {
    const queue = anyQueue(guest)
    if (queue === null) return guest.reset()
    const { random, memory } = guest
    const move = random.pick([1, 2, queue.size, queue.size + 1, 0x8000, 0xffff, random.between(0, 0xffff)])
    for (let i = random.between(0, 4); i > 0; i--) {
      const entry = queue.driver + 4 + 2 * random.between(0, queue.size - 1)
      memory.writeU16(entry, random.pick([0, queue.size - 1, queue.size, 0xffff, random.between(0, 0xffff)]))
    }
    queue.availIdx = (queue.availIdx + move) & 0xffff
    memory.writeU16(queue.driver + 2, queue.availIdx)
    return BOTH
  },

  /** A message or buffer is offered, and its descriptors or header change while the broker holds it. */
  rewrite(guest) {
    const { random, memory } = guest
    const queue = anyQueue(guest)
    if (queue === null) return guest.reset()
    if (random.chance(0.5)) return sendPacket(guest, VIRTIO_VSOCK_OP_RW, random.pick([1, 100, 4096, 20_000]))
    for (let i = random.between(1, 6); i > 0; i--) {
      const index = random.between(0, queue.size - 1)
      if (random.chance(0.3)) queue.writeAddress(index, guest.bufferPage() + random.between(0, 100))
      else if (random.chance(0.5)) {
        memory.writeU32(queue.descriptors + 16 * index + 8, random.pick([0, 1, 44, 4096, 0xffff_ffff, random.u32()]))
      } else memory.writeU32(queue.descriptors + 16 * index + 12, random.pick([0, 1, 2, 3, 4, random.u32()]))
    }
    return random.chance(0.5) ? BOTH : HostileKick.none
  },

  /** Chains that cover its own rings: what is copied into them rewrites them. */
  ownRings(guest) {
    const { random } = guest
    const queue = anyQueue(guest)
    if (queue === null) return guest.reset()
    const aimed = guest.queue(random.between(RX, TX)) ?? queue
    const buffer = { address: aimed.somewhere(random), length: random.pick([2, 44, 64, 4096]) }
    if (queue === guest.queue(TX))
      return offer(
        queue,
        [
          { ...header(guest), writable: false },
          { ...buffer, writable: false },
        ],
        TX,
      )
    return offer(queue, [{ ...buffer, writable: true }], RX)
  },

  /** Pages that came, went, or are lent: sent on, offered for receiving, both at once. */
  foreignPages(guest) {
    const { random, accomplices } = guest
    const page = guest.bufferPage()
    if (accomplices.pages.length < 64) accomplices.pages.push(page)
    const count = random.between(1, 8)
    const pages = Array.from({ length: count }, (_, i) =>
      random.chance(0.7) ? page + PAGE_SIZE * i : guest.bufferPage(),
    )
    if (random.chance(0.5)) return receiveInto(guest, pages)
    return sendPages(guest, pages)
  },

  /**
   * What is lent to it, it sends on, and gives the half of that back in the same breath: the broker then holds a chain whose pages
   * change behind it.
   */
  borrowed(guest) {
    const rx = guest.queue(RX)
    if (rx === null) return guest.reset()
    const pages = guest.borrowedPages(rx)
    if (pages.length < 2) return HostileKick.none
    let kicks = sendPages(guest, pages.slice(0, 8))
    for (const page of pages.slice(Math.floor(pages.length / 2), 8)) kicks |= receiveInto(guest, [page])
    return guest.random.chance(0.5) ? kicks : HostileKick.transmit
  },

  /** Pages that it sends, and so may lend or give away, are offered for receiving before they have left. */
  givenAway(guest) {
    const { base, size } = guest.memory.regions[0]!
    const count = guest.random.between(1, 8)
    const first = Math.min(guest.page(), base + size - 8 * PAGE_SIZE)
    const pages = Array.from({ length: count }, (_, i) => first + i * PAGE_SIZE)
    const before = guest.random.chance(0.3) ? receiveInto(guest, [pages[0]!]) : HostileKick.none
    let kicks = before | sendPages(guest, pages)
    for (const page of pages) kicks |= receiveInto(guest, [page])
    return kicks
  },

  /** One page twice: in one chain, in two, for sending and receiving at once. */
  twice(guest) {
    const page = guest.random.chance(0.5) ? guest.page() : guest.bufferPage()
    const kicks = receiveInto(guest, [page, page])
    return guest.random.chance(0.5) ? kicks | sendPages(guest, [page, page]) : kicks
  },

  /** Takes what comes and never gives a receive buffer back. */
  keeps: () => HostileKick.none,

  /** Resets at any moment, whatever is under way. */
  resets(guest) {
    if (guest.random.chance(0.4)) return guest.reset()
    return sendPacket(guest, VIRTIO_VSOCK_OP_RW, guest.random.pick([1, 5000, 40_000]))
  },

  /** Event indices and flags that ask for every interrupt, for none, or for one far away. */
  events(guest) {
    const queue = anyQueue(guest)
    if (queue === null) return guest.reset()
    const { random } = guest
    const event = random.pick([queue.usedIdx, queue.usedIdx - 1, queue.usedIdx + 0x7fff, random.between(0, 0xffff)])
    queue.writeEvents(random.pick([0, 1, 0xffff]), event)
    // The broker's side of it as well.
    guest.memory.writeU16(queue.device, random.pick([0, 1]))
    guest.memory.writeU16(queue.device + 4 + 8 * queue.size, random.between(0, 0xffff))
    return sendPacket(guest, VIRTIO_VSOCK_OP_RW, 1)
  },

  /** Headers with foreign cids, ports, lengths, types, operations and credit. */
  headers(guest) {
    const { random } = guest
    const peer = random.pick(guest.peers)
    return sendHeader(guest, random.pick([0, 1, 300, 4096]), (packet) => {
      packet.srcCid = random.pick([guest.cid, peer.cid, 2, 0, 0xffff_ffff])
      packet.dstCid = random.pick([peer.cid, peer.cid, guest.cid, 2, random.u32()])
      packet.srcPort = random.pick([peer.localPort, random.u32()])
      packet.dstPort = random.pick([peer.peerPort, peer.localPort, random.u32()])
      packet.len = random.pick([packet.len, 0, 1, 0xffff_ffff, random.u32()])
      packet.op = random.pick([packet.op, random.between(0, 9), 0xffff])
      packet.type = random.pick([1, 1, 2, 0xffff])
      packet.bufAlloc = random.pick([0, 1, 0x7fff_ffff, 0xffff_ffff])
      packet.fwdCnt = random.pick([0, 0xffff_ffff, random.u32()])
    })
  },

  /** As many messages at once as a ring has room for: short ones, or as long as they may be. */
  bursts(guest) {
    let kicks = HostileKick.none as number
    const bytes = guest.random.pick([1, 1, 64, 4096, 32_768])
    for (let i = 0; i < BURST; i++) kicks |= sendPacket(guest, VIRTIO_VSOCK_OP_RW, bytes)
    return kicks
  },

  /** Requests for credit, updates, shutdowns and resets of connections that honest guests have to answer. */
  control(guest) {
    const { random } = guest
    const ops = [
      VIRTIO_VSOCK_OP_CREDIT_REQUEST,
      VIRTIO_VSOCK_OP_CREDIT_REQUEST,
      VIRTIO_VSOCK_OP_CREDIT_UPDATE,
      VIRTIO_VSOCK_OP_REQUEST,
      VIRTIO_VSOCK_OP_SHUTDOWN,
      VIRTIO_VSOCK_OP_RST,
    ]
    let kicks = HostileKick.none as number
    for (let i = random.between(1, BURST); i > 0; i--) kicks |= sendPacket(guest, random.pick(ops), 0)
    return kicks
  },

  /** Receive buffers that no packet fits into. */
  useless(guest) {
    const queue = guest.queue(RX)
    if (queue === null) return guest.reset()
    for (let i = 0; i < BURST; i++) {
      const length = guest.random.pick([0, 1, 43, 44, 44, 45])
      queue.publish(queue.writeChain([{ address: guest.page(), length, writable: true }]))
    }
    return HostileKick.receive
  },

  /** Receive buffers and messages of as many pieces as a chain has room for, all over its RAM. */
  scattered(guest) {
    const { random } = guest
    const index = random.between(RX, TX)
    const queue = guest.queue(index)
    if (queue === null) return guest.reset()
    const most = Math.min(random.pick([8, 16, 17, 19, 33, queue.size]), queue.size, 256)
    const peer = guest.peer()
    // Whole pages with single bytes between them take the most receive buffers.
    const pages = random.chance(0.4) ? Math.floor((peer.longestBytes ?? 32_768) / (PAGE_SIZE + 1)) : 0
    const buffers = Array.from({ length: pages > 0 ? Math.min(most, 2 * pages) : most }, (_, i) => {
      const isPage = pages > 0 && i % 2 === 0
      return {
        address: guest.page() + (isPage ? 0 : random.between(0, 4000)),
        length: isPage ? PAGE_SIZE : pages > 0 ? 1 : random.pick([1, 44, 64, 500]),
        writable: index === RX,
      }
    })
    if (index === RX) return offer(queue, buffers, RX)
    const bytes = buffers.reduce((sum, { length }) => sum + length, 0)
    return sendFrom(guest, buffers, bytes, () => {}, peer)
  },

  /** Rings of every size that there is, after a reset. */
  sizes(guest) {
    if (guest.queue(RX) !== null || guest.queue(TX) !== null) return guest.reset()
    const size = () => guest.random.pick([1, 2, 3, 7, 8, 128, 256, 1024, 4096, 32_768, 0, 65_535])
    return guest.setUp([size(), size()])
  },

  /** Registers in any order: status, features, queues that are half set up, ready and not ready. */
  lifecycle(guest) {
    const { random, registers } = guest
    for (let i = random.between(1, 6); i > 0; i--) {
      registers.queueSelect = random.pick([RX, TX, 2, 3, 0xffff])
      const write = random.between(0, 6)
      // 0 is a reset, which goes its own way.
      if (write === 0) registers.writeStatus(random.pick([1, 2, 4, 8, 3, 11, 15, 64, 128, 255]))
      else if (write === 1) registers.writeDriverFeatures(random.u32())
      else if (write === 2) registers.queueSize = random.pick([0, 1, 3, 64, 256, 0xffff])
      else if (write === 3)
        registers.writeQueueAddress(random.pick([0, 1, 2] as const), random.pick([0, 1] as const), random.u32())
      else if (write === 4) registers.enableQueue()
      else if (write === 5) registers.disableQueue()
      else registers.notify(random.between(0, 3))
    }
    return random.chance(0.1) ? guest.reset() : BOTH
  },

  /** A driver that keeps to the rules, so that others' messages are under way when the next strategy has its turn. */
  honest(guest) {
    const queue = guest.queue(RX)
    if (queue === null) return guest.random.chance(0.5) ? guest.reset() : HostileKick.none
    let kicks = HostileKick.none as number
    for (let i = 0; i < 4; i++) kicks |= receiveInto(guest, [guest.page()])
    return kicks | sendPacket(guest, VIRTIO_VSOCK_OP_RW, guest.random.pick([1, 4096, 12_000]))
  },
} satisfies Record<string, (guest: HostileGuest) => number>

/** One of `HOSTILE_STRATEGIES`. */
export type HostileStrategyName = keyof typeof STRATEGIES

/** The names of what a hostile guest may try. */
export const HOSTILE_STRATEGIES = Object.keys(STRATEGIES) as readonly HostileStrategyName[]

const packet = new VsockHeader()
const packetBytes = new Uint8Array(VSOCK_HEADER_BYTES)

function anyQueue(guest: HostileGuest): RawQueue | null {
  return guest.queue(guest.random.between(RX, TX))
}

function offer(queue: RawQueue, buffers: readonly RawBuffer[], index: number): number {
  queue.publish(queue.writeChain(buffers))
  return index === RX ? HostileKick.receive : HostileKick.transmit
}

/** Room for a header, somewhere in a page of its own. */
function header(guest: HostileGuest): { address: number; length: number } {
  return { address: guest.page() + 64 * guest.random.between(0, 60), length: VSOCK_HEADER_BYTES }
}

/** A packet of one of its connections, as long as it should be. */
function sendPacket(guest: HostileGuest, op: number, payloadBytes: number): number {
  return sendHeader(guest, payloadBytes, (fields) => {
    fields.op = op
  })
}

function sendHeader(guest: HostileGuest, payloadBytes: number, change: (fields: VsockHeader) => void): number {
  const bytes = Math.min(payloadBytes, guest.memory.regions[0]!.size / 4)
  const { base, size } = guest.memory.regions[0]!
  const address = Math.min(guest.page(), base + size - Math.ceil(bytes / PAGE_SIZE) * PAGE_SIZE)
  return sendFrom(guest, [{ address, length: bytes, writable: false }], bytes, change)
}

/** As many of the pages as the connection's messages may be long, mostly. */
function sendPages(guest: HostileGuest, pages: readonly number[]): number {
  const peer = guest.peer()
  const most = guest.random.chance(0.8) ? Math.floor((peer.longestBytes ?? Number.POSITIVE_INFINITY) / PAGE_SIZE) : 8
  const sent = pages.slice(0, Math.max(1, most))
  const buffers = sent.map((address) => ({ address, length: PAGE_SIZE, writable: false }))
  return sendFrom(
    guest,
    buffers,
    PAGE_SIZE * sent.length,
    (fields) => {
      fields.op = VIRTIO_VSOCK_OP_RW
    },
    peer,
  )
}

function sendFrom(
  guest: HostileGuest,
  payload: readonly RawBuffer[],
  payloadBytes: number,
  change: (fields: VsockHeader) => void,
  peer = guest.peer(),
): number {
  const queue = guest.queue(TX)
  if (queue === null) return HostileKick.none
  packet.srcCid = guest.cid
  packet.dstCid = peer.cid
  packet.srcPort = peer.localPort
  packet.dstPort = peer.peerPort
  packet.len = payloadBytes
  packet.type = 1
  packet.op = VIRTIO_VSOCK_OP_RW
  packet.flags = guest.random.between(0, 3)
  packet.bufAlloc = 0x7fff_ffff
  packet.fwdCnt = 0
  change(packet)
  writeVsockHeader(packetBytes, 0, packet)
  const at = header(guest)
  guest.memory.write(at.address, packetBytes)
  const buffers = payloadBytes > 0 ? [{ ...at, writable: false }, ...payload] : [{ ...at, writable: false }]
  return offer(queue, buffers.slice(0, queue.size), TX)
}

function receiveInto(guest: HostileGuest, pages: readonly number[]): number {
  const queue = guest.queue(RX)
  if (queue === null) return HostileKick.none
  const at = header(guest)
  const buffers = pages.map((address) => ({ address, length: PAGE_SIZE, writable: true }))
  return offer(queue, [{ ...at, writable: true }, ...buffers].slice(0, queue.size), RX)
}
