/**
 * Both sides: what only shows while the peer runs at the same time. The target meets a plain peer in every order in which
 * their accesses can take effect (`docs/interleavings.md`), under the weakest memory that the fault needs.
 */

import type { Exhibit } from './exhibit.ts'
import { everyOrder } from './explored-plays.ts'
import type { MuseumTarget } from './run-museum.ts'

/** An exhibit of whatever side and ring format: all that it needs of a stage is the target. */
type ExploredExhibit = Exhibit<() => { readonly target: MuseumTarget }>

interface Explored extends Pick<ExploredExhibit, 'number' | 'seenIn' | 'needs'> {
  readonly clauses: (side: 'device' | 'driver') => readonly string[]
  readonly formats: readonly ('split' | 'packed')[]
  readonly sides: readonly ('device' | 'driver')[]
  readonly title: (side: 'device' | 'driver') => string
}

const BOTH_FORMATS = ['split', 'packed'] as const
const BOTH_SIDES = ['device', 'driver'] as const
/** To ask for notifications and look again. */
const asks = (side: 'device' | 'driver') => (side === 'device' ? 'VQS-NTF-DEV-09' : 'VQS-NTF-DRV-03')
const other = (side: 'device' | 'driver') => (side === 'device' ? 'kicks' : 'interrupts')

const EXPLORED: readonly Explored[] = [
  {
    number: 32,
    formats: BOTH_FORMATS,
    sides: BOTH_SIDES,
    title: (side) =>
      `it asks for ${other(side)} and looks again without a full fence between: nobody sleeps for ever (TSO)`,
    clauses: (side) => [asks(side), 'VQS-KICK-DRV-01'],
    seenIn: ['cloud-hypervisor#2179', 'acrn#2733'],
  },
  {
    number: 48,
    formats: ['split'],
    sides: BOTH_SIDES,
    title: (side) => `a descriptor is used again while a dirty line of the ${side} is pending (non-coherent caches)`,
    clauses: () => ['IMP-VQS-02', 'IMP-VQS-09'],
    seenIn: ['open-amp#465', 'open-amp#679'],
    needs: ['caches'],
  },
  {
    number: 58,
    formats: BOTH_FORMATS,
    sides: BOTH_SIDES,
    title: () => 'exchange: one request, a batch in reverse; nothing is seen before it is there (weak memory)',
    clauses: () => ['IMP-VQS-02', 'VQS-USED-DEV-01'],
    seenIn: [],
  },
  {
    number: 59,
    formats: BOTH_FORMATS,
    sides: BOTH_SIDES,
    title: () => 'exchange: a ring of one, and its table, are used again',
    clauses: () => ['IMP-VQS-02', 'IMP-VQS-03'],
    seenIn: [],
  },
  {
    number: 60,
    formats: ['split'],
    sides: BOTH_SIDES,
    title: () => 'exchange: both sides sleep while the indices pass 65535',
    clauses: () => ['IMP-VQS-08'],
    seenIn: [],
  },
  {
    number: 61,
    formats: ['split'],
    sides: BOTH_SIDES,
    title: () => 'exchange: a reset with a request on its way, in silence too, and another request',
    clauses: (side) => [side === 'device' ? 'VQRST-DEV-02' : 'VQRST-DRV-01'],
    seenIn: [],
  },
  {
    number: 62,
    formats: BOTH_FORMATS,
    sides: BOTH_SIDES,
    title: (side) => `exchange: the ${side} sleeps after a look that found nothing (TSO)`,
    clauses: (side) => [asks(side)],
    seenIn: [],
  },
  {
    number: 63,
    formats: ['split'],
    sides: ['driver'],
    title: () => 'exchange: one interrupt is asked for when all has come back (TSO)',
    clauses: () => ['VQS-NTF-DRV-03'],
    seenIn: [],
  },
]

/** The exhibits of one side and ring format. */
export function explorationsOf(side: 'device' | 'driver', format: 'split' | 'packed'): readonly ExploredExhibit[] {
  return EXPLORED.filter(({ formats, sides }) => formats.includes(format) && sides.includes(side)).map(
    ({ number, title, clauses, seenIn, needs = [] }): ExploredExhibit => ({
      number,
      side,
      title: title(side),
      clauses: clauses(side),
      seenIn,
      needs: ['watched', 'concurrency', ...needs],
      long: true,
      explored: true,
      play: (open) => {
        const rest = everyOrder(number, open().target)
        return rest === '' ? undefined : { verdict: 'PASS', detail: rest }
      },
    }),
  )
}
