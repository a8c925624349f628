/** The network device: faults of `src/virtio/devices/net`. */
import { type Mutant, mutantsOf } from './mutant.ts'

const HERE = 'src/virtio/devices/net'

export const NET_MUTANTS: readonly Mutant[] = [
  ...mutantsOf(
    `${HERE}/device.ts`,
    [
      'IMP-NET-01',
      'the device looks for commands behind all of its pairs, negotiated or not',
      'const controlIndex = 2 * (mq ? this.#maxPairs : 1)',
      'const controlIndex = 2 * this.#maxPairs',
    ],
    [
      'IMP-NET-02',
      'every command is answered with OK',
      'writer.u8(isDone ? VIRTIO_NET_OK : VIRTIO_NET_ERR)',
      'writer.u8(VIRTIO_NET_OK)',
    ],
  ),
]
