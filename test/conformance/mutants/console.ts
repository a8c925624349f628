/** The console device: faults of `src/virtio/devices/console`. */
import { type Mutant, mutantsOf } from './mutant.ts'

const HERE = 'src/virtio/devices/console'

export const CONSOLE_MUTANTS: readonly Mutant[] = [
  ...mutantsOf(`${HERE}/contract.ts`, [
    'IMP-CON-01',
    'the queues of the last port come first behind those of control',
    'for (let port = 1; port < ports; port++) {',
    'for (let port = ports - 1; port > 0; port--) {',
  ]),
]
