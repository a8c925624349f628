/** The console device: faults of `src/virtio/devices/console`. */
import { type Mutant, mutantsOf } from './mutant.ts'

const HERE = 'src/virtio/devices/console'

export const CONSOLE_MUTANTS: readonly Mutant[] = [
  ...mutantsOf(`${HERE}/contract.ts`, [
    'IMP-CON-01',
    'the queues of port 1 come before those of control',
    'return port === 0 ? 0 : 2 + 2 * port',
    'return 2 * port',
  ]),
]
