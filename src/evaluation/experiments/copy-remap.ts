/** From which size on it pays to exchange or to lend pages instead of copying them. */
import { remapTimeNs } from '../../analysis/index.ts'
import type { CostOpName } from '../../platform/index.ts'
import { type BoardProfile, remapCharges } from '../../platform-zcu102/index.ts'
import { TransferPolicy, TransferWay } from '../../zero-copy/index.ts'
import type { Experiment, Row } from '../experiment.ts'
import { MACHINE_ASSUMPTIONS, MACHINE_COLUMNS, rank, runMachine } from './machine-runs.ts'

const PAGE_BYTES = 4096
const PAGES = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 256, 512] as const
const TRANSFERS = ['copy', 'remap', 'lend'] as const
/** The first of them find the pools of pages fresh: the median is of what follows. */
const MESSAGES = 24

type Unit = { readonly transfer: (typeof TRANSFERS)[number]; readonly pages: number; readonly seed: number }

type TransferRow = Row & { readonly transfer: string; readonly pages: number; readonly medianNs: number }

/** One message alone, typical costs: what EL2 is charged until the receiver is interrupted, and the two guests. */
function modelNs(profile: BoardProfile, transfer: 'remap' | 'lend', pages: number): number {
  const costNs = (op: CostOpName) => profile.costsNs[op].value[1]
  const way = transfer === 'lend' ? TransferWay.lend : TransferWay.exchange
  const { flushPages } = new TransferPolicy(transfer)
  const charges = remapCharges({ way, pages, flushPages, smmu: true })
  return costNs('guestSend') + remapTimeNs(charges, costNs) + costNs('guestIsr')
}

export const copyRemapExperiment: Experiment<Unit, TransferRow> = {
  name: 'copy-remap',
  title: 'Copying, exchanging or lending pages',
  columns: {
    platform: MACHINE_COLUMNS.platform,
    transfer: 'copy: by DMA; remap: pages change owners; lend: mapped read-only until they are returned',
    pages: 'of 4 KiB, page-aligned at both ends',
    lengthBytes: MACHINE_COLUMNS.lengthBytes,
    messages: 'sent, one at a time',
    medianNs: 'from release to last byte read: simulated, ns',
    maxNs: 'the longest of them: simulated, ns',
    stolenNs: 'EL2 time of both cores a message: simulated, ns',
    pagesMoved: 'pages that changed owners or were lent, of all messages',
    copyFallbacks: 'messages that were copied because a page could not be moved',
    modelNs:
      'z(L) with sending and handling it, one message alone: computed from what the broker charges and typical costs, ns; null: copied',
    modelCopyNs: 'L/beta: computed, ns',
    seed: MACHINE_COLUMNS.seed,
  } as Experiment<Unit, TransferRow>['columns'],
  assumptions: [
    ...MACHINE_ASSUMPTIONS,
    'Floating broker, one flow alone, typical costs, no regulator: copying is at its best, a regulator makes it slower.',
    'Pages keep their cache colour when they move; what that does to the cache of the receiver is counted, not simulated.',
  ],
  units({ seed }) {
    return TRANSFERS.flatMap((transfer) => PAGES.map((pages) => ({ transfer, pages, seed })))
  },
  run({ transfer, pages, seed }, profile) {
    const lengthBytes = pages * PAGE_BYTES
    const periodNs = 200_000 + 4 * Math.ceil(lengthBytes / profile.dmaBytesPerNs.value)
    const flow = { name: 'only', from: 0, to: 1, periodNs, lengthBytes }
    const durationNs = MESSAGES * periodNs
    const load = { vmCores: 2, flows: [flow], durationNs, costs: 'typical', seed, broker: { transfer } } as const
    const responses: number[] = []
    const result = runMachine(load, 'floating-minimum', profile, ({ responseNs }) => responses.push(responseNs))
    responses.sort((a, b) => a - b)
    const stolenNs = Object.values(result.stolenNsByCore).reduce((sum, ns) => sum + ns, 0)
    return [
      {
        platform: profile.name,
        transfer,
        pages,
        lengthBytes,
        messages: responses.length,
        medianNs: rank(responses, 0.5),
        maxNs: rank(responses, 1),
        stolenNs: stolenNs / responses.length,
        pagesMoved: result.pagesRemapped + result.pagesLent,
        copyFallbacks: result.copyFallbacks,
        modelNs: transfer === 'copy' ? null : modelNs(profile, transfer, pages),
        modelCopyNs: Math.ceil(lengthBytes / profile.dmaBytesPerNs.value),
        seed,
      },
    ]
  },
}
