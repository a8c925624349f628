/** A vsock device whose registers stand here and whose queues the broker serves: what a guest sends goes to other guests only. */
import { type Broker, RECEIVE_BYTES, RECEIVE_EXTENTS } from '../broker/index.ts'
import { type GuestMemory, SegmentList } from '../memory/index.ts'
import { BrokerCause } from '../platform/index.ts'
import type { TransportableDevice } from '../transport/index.ts'
import {
  ConfigSpace,
  DeviceRegisters,
  FeatureSet,
  VIRTIO_F_EVENT_IDX,
  VIRTIO_F_INDIRECT_DESC,
  VIRTIO_F_VERSION_1,
  VSOCK_HEADER_BYTES,
  type VsockContract,
  vsockContract,
} from '../virtio/index.ts'

/** Longest payload of a packet of Linux. */
export const PACKET_BYTES = 65_536
const QUEUE_SIZE = 128
/** Of a packet with its header, in pages or in one piece. */
const PACKET_DESCRIPTORS = 18

export interface BrokerVsockOptions {
  readonly vm: number
  readonly cid: number
  /** The broker, and how a core enters it until it has nothing left to do. */
  readonly broker: () => Broker
  readonly enter: (core: number, cause: number, argument: number) => void
  /** What the device was attached over. */
  readonly memory: () => GuestMemory
}

/** The device for `attachToV86`; `registers.notifyUsed` makes its interrupt. */
export function brokerVsock({
  vm,
  cid,
  broker,
  enter,
  memory,
}: BrokerVsockOptions): TransportableDevice<VsockContract> {
  const contract = vsockContract(QUEUE_SIZE)
  const leave = () => {
    if (broker().isAttached(vm)) enter(vm, BrokerCause.detach, vm)
    return !broker().isAttached(vm)
  }
  const registers: DeviceRegisters = new DeviceRegisters(
    {
      deviceId: contract.id,
      commonFeatures: FeatureSet.of(VIRTIO_F_VERSION_1, VIRTIO_F_EVENT_IDX, VIRTIO_F_INDIRECT_DESC),
      queueSizes: [QUEUE_SIZE, QUEUE_SIZE, 8],
      chainLimits: [
        { maxChainBuffers: RECEIVE_EXTENTS, maxChainBytes: RECEIVE_BYTES },
        { maxChainBuffers: PACKET_DESCRIPTORS, maxChainBytes: VSOCK_HEADER_BYTES + PACKET_BYTES },
      ],
      config: new ConfigSpace(contract.config, { guestCid: cid }),
    },
    {
      onActivate([receive, transmit]) {
        if (receive == null || transmit == null) registers.setNeedsReset()
        else broker().attach(vm, { memory: memory(), receive, transmit, rings: new SegmentList() })
      },
      onReset: () => void leave(),
      isResetComplete: leave,
      mayDisableQueue: () => !broker().isAttached(vm),
      onNotify(queue) {
        if (queue <= 1) enter(vm, BrokerCause.doorbell, 2 * vm + queue)
        return false
      },
    },
  )
  return { registers, contract }
}
