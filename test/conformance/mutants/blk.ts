/** The block device: faults of `src/virtio/devices/blk`. */
import { type Mutant, mutantsOf } from './mutant.ts'

const HERE = 'src/virtio/devices/blk'

export const BLK_MUTANTS: readonly Mutant[] = [
  ...mutantsOf(
    `${HERE}/device.ts`,
    [
      'IMP-BLK-01',
      'the status comes first, whatever room there is',
      'if (writer.remaining > 1) writer.cursor.fill(0, writer.remaining - 1)',
      'if (writer.remaining > 600) writer.cursor.fill(0, writer.remaining - 1)',
    ],
    [
      'IMP-BLK-02',
      'a request of no type is done',
      `// IMP-BLK-02, BLK-ZON-DEV-15: and zones, which are not offered.
        return VIRTIO_BLK_S_UNSUPP`,
      'return VIRTIO_BLK_S_OK',
    ],
    [
      'IMP-BLK-03',
      'any number of segments is taken',
      'if (!features.segMax || segments <= segMax) return null',
      'if (segments >= 0) return null',
    ],
    [
      'IMP-BLK-04',
      'half a header is one',
      'work = reader.remaining < BLK_HEADER_BYTES ?',
      'work = reader.remaining < 0 ?',
    ],
  ),
]
