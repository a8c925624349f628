/** The socket device: faults of `src/virtio/devices/vsock`. */
import { type Mutant, mutantsOf } from './mutant.ts'

const HERE = 'src/virtio/devices/vsock'

export const VSOCK_MUTANTS: readonly Mutant[] = [
  ...mutantsOf(
    `${HERE}/driver.ts`,
    [
      'VSK-DRV-01',
      'the driver does not take NO_IMPLIED_STREAM',
      "want: [...socketTypes, 'noImpliedStream'],\n    ...(queueSize",
      'want: [...socketTypes],\n    ...(queueSize',
    ],
    [
      'VSK-DRV-04',
      'the driver takes nothing while its tx queue is full',
      'this.endpoint.canReceive && rx.ring.popUsed(this.#used)',
      'this.endpoint.canReceive && this.driver.tx.ring.freeDescriptors >= 2 && rx.ring.popUsed(this.#used)',
    ],
    ['VSK-DRV-09', 'event buffers are not posted again', 'if (taken > 0) this.#fill(event, this.#event)', ''],
    [
      'VSK-DRV-10',
      'the CID is not fetched again after a transport reset',
      'this.endpoint.transportReset(this.#fetchCid())',
      'this.endpoint.transportReset(this.endpoint.cid)',
    ],
    [
      'IMP-VSK-02',
      'the upper half of a CID of a device is ignored',
      'if (!valid || this.#received.srcCid > MAX_CID || this.#received.dstCid > MAX_CID) {',
      'if (!valid) {',
    ],
  ),
  ...mutantsOf(
    `${HERE}/device.ts`,
    [
      'VSK-DEV-01',
      'the device does not offer NO_IMPLIED_STREAM',
      "offer: [...socketTypes, 'noImpliedStream']",
      'offer: [...socketTypes]',
    ],
    [
      'VSK-DEV-07',
      'a guest may have CID 2',
      'cid > VSOCK_HOST_CID && cid < MAX_CID',
      'cid >= VSOCK_HOST_CID && cid < MAX_CID',
    ],
    [
      'IMP-VSK-02',
      'the upper half of a destination CID of a guest is ignored',
      'if (dstCid <= MAX_CID) return true',
      'if (dstCid >= 0) return true',
    ],
  ),
  ...mutantsOf(`${HERE}/contract.ts`, [
    'VSK-DRV-02 VSK-DEV-02 VSK-DRV-03 VSK-DEV-03',
    'streams are there only when they are named',
    'return features.stream || !features.noImpliedStream',
    'return features.stream',
  ]),
  ...mutantsOf(
    `${HERE}/endpoint.ts`,
    [
      'VSK-DRV-04',
      'answers that wait are without bound',
      'return this.#replies.length < MAX_REPLIES',
      'return this.#replies.length < 1e9',
    ],
    [
      'VSK-DEV-04',
      'nothing is taken while an answer waits',
      'return this.#replies.length < MAX_REPLIES',
      'return this.#replies.length < 1',
    ],
    [
      'VSK-DRV-07',
      'packets claim the CID of the peer',
      'out.srcCid = this.cid\n',
      'out.srcCid = socket.connection.peerCid\n',
    ],
    [
      'VSK-DRV-08 VSK-DEV-08',
      'a packet of an unknown type is not answered',
      'if (!this.#types.includes(type) || dstCid !== this.cid) {\n      this.#refuse(header)',
      'if (!this.#types.includes(type) || dstCid !== this.cid) {\n      if (this.#types.includes(type)) this.#refuse(header)',
    ],
    ['VSK-DRV-08 VSK-DEV-08', 'the RST for an unknown type is of another type', 'reply.type = header.type\n', '\n'],
    [
      'VSK-DRV-11',
      'connections survive a transport reset',
      'this.#offline = null\n    this.#endAll(undefined)',
      'this.#offline = null',
    ],
    [
      'VSK-DRV-12',
      'listeners end with a transport reset',
      'this.#offline = null\n    this.#endAll(undefined)',
      'this.#offline = null\n    this.#listeners.clear()\n    this.#endAll(undefined)',
    ],
    [
      'IMP-VSK-03',
      'a REQUEST that nobody listens for is not answered',
      'listening?.type !== header.type || !room) {\n      this.#refuse(header)',
      'listening?.type !== header.type || !room) {\n      if (header.op !== VIRTIO_VSOCK_OP_REQUEST) this.#refuse(header)',
    ],
  ),
  ...mutantsOf(
    `${HERE}/connection.ts`,
    [
      'VSK-DRV-05 VSK-DEV-05',
      'data is sent beyond the credit',
      'out.len = Math.min(queued, room, this.credit)',
      'out.len = Math.min(queued, room)',
    ],
    [
      'VSK-DRV-06 VSK-DEV-06',
      'fwd_cnt is what the peer knew before',
      'out.fwdCnt = this.fwdCnt',
      'out.fwdCnt = this.#announcedFwdCnt',
    ],
    [
      'VSK-DRV-06 VSK-DEV-06',
      'buf_alloc is 0 but in data',
      'out.bufAlloc = this.bufAlloc',
      'out.bufAlloc = op === VIRTIO_VSOCK_OP_RW ? this.bufAlloc : 0',
    ],
    [
      'IMP-VSK-01',
      'what is under way is counted without the wrap of 32 bits',
      'this.peerBufAlloc - ((this.txCnt - this.peerFwdCnt) >>> 0)',
      'this.peerBufAlloc - (this.txCnt - this.peerFwdCnt)',
    ],
    [
      'IMP-VSK-02',
      'EOM ends something in a stream',
      'const ends = this.type === VIRTIO_VSOCK_TYPE_SEQPACKET && (flags',
      'const ends = (flags',
    ],
    [
      'IMP-VSK-03',
      'a SHUTDOWN takes back the bits of the one before',
      'this.peerShutdown |= flags & SHUTDOWN_BOTH',
      'this.peerShutdown = flags & SHUTDOWN_BOTH',
    ],
  ),
  ...mutantsOf(`${HERE}/header.ts`, [
    'IMP-VSK-02',
    'the upper halves of CIDs are not read',
    'out.srcCid = le64ToNumber(readU32(bytes, offset), srcHigh)',
    'out.srcCid = readU32(bytes, offset)',
  ]),
]
