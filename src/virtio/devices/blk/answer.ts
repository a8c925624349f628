/** What a device's answer is worth to a driver. */
import { VirtioError } from '../../../internal/error.ts'
import {
  VIRTIO_BLK_S_IOERR,
  VIRTIO_BLK_S_OK,
  VIRTIO_BLK_S_UNSUPP,
  VIRTIO_BLK_T_DISCARD,
  VIRTIO_BLK_T_FLUSH,
  VIRTIO_BLK_T_GET_ID,
  VIRTIO_BLK_T_IN,
  VIRTIO_BLK_T_OUT,
  VIRTIO_BLK_T_SECURE_ERASE,
  VIRTIO_BLK_T_WRITE_ZEROES,
} from './contract.ts'
import { type BlkRequestState, NO_STATUS } from './driver-lane.ts'

const NAMES: Readonly<Record<number, string>> = {
  [VIRTIO_BLK_T_IN]: 'a read',
  [VIRTIO_BLK_T_OUT]: 'a write',
  [VIRTIO_BLK_T_FLUSH]: 'a flush',
  [VIRTIO_BLK_T_GET_ID]: 'a question for its id',
  [VIRTIO_BLK_T_DISCARD]: 'a discard',
  [VIRTIO_BLK_T_WRITE_ZEROES]: 'a write of zeroes',
  [VIRTIO_BLK_T_SECURE_ERASE]: 'a secure erase',
}

/**
 * What an answer is worth. The status byte counts where it was written, whatever the used length says of it; of what was read all has to be
 * said to be there (docs/peers.md).
 */
export function answerError(request: BlkRequestState, status: number, writtenBytes: number): VirtioError | null {
  const { type, sector, lengthBytes } = request
  const what = `${NAMES[type]}${type <= VIRTIO_BLK_T_OUT ? ` of ${lengthBytes} bytes from sector ${sector}` : ''}`
  if (status === VIRTIO_BLK_S_IOERR) return new VirtioError('BLK_IOERR', `the device could not do ${what}: IOERR`)
  if (status === VIRTIO_BLK_S_UNSUPP) return new VirtioError('BLK_UNSUPP', `the device does not know ${what}: UNSUPP`)
  if (status !== VIRTIO_BLK_S_OK) {
    const answer = status === NO_STATUS ? 'without a status' : `with status ${status}`
    return new VirtioError('BLK_STATUS', `the device answered ${what} ${answer}`)
  }
  const isRead = type === VIRTIO_BLK_T_IN || type === VIRTIO_BLK_T_GET_ID
  if (!isRead || writtenBytes >= lengthBytes) return null
  return new VirtioError('BLK_SHORT', `the device wrote ${writtenBytes} bytes in answer to ${what}`)
}
