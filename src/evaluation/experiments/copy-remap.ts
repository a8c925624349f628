/** From which size on it pays to exchange or to lend pages instead of copying them. */
import { remapTimeNs } from '../../analysis/index.ts'
import { announceSteps } from '../../broker/index.ts'
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

/** Of a message copied as one chain, in series with the DMA, until the transfer starts and after it has ended. */
const BEFORE_COPY: readonly CostOpName[] = [
  'guestSend',
  'mmioTrap',
  'lockCriticalSection',
  'fetchDescriptor',
  'fetchDescriptor',
  'messageOverhead',
  'pick',
  'dmaSetup',
]
const AFTER_COPY: readonly CostOpName[] = ['irqEntryAck', 'usedRing', 'injectListRegister', 'guestIsr']

/**
 * One message alone, typical costs: all that its latency is made of. Copied: L/beta, its descriptors, and the software that the DMA waits
 * for or that waits for the DMA. Moved: what EL2 is charged until the receiver is interrupted, and the two guests.
 */
function modelNs(profile: BoardProfile, transfer: (typeof TRANSFERS)[number], pages: number): number {
  const costNs = (op: CostOpName) => profile.costsNs[op].value[1]
  if (transfer === 'copy') {
    const software = [...BEFORE_COPY, ...AFTER_COPY].reduce((sum, op) => sum + costNs(op), 0)
    const eachPage = costNs('dmaPerDescriptor') + costNs('usedRing')
    return copyNs(profile, pages) + software + pages * eachPage + announceSteps(pages) * costNs('lockCriticalSection')
  }
  const way = transfer === 'lend' ? TransferWay.lend : TransferWay.exchange
  const { flushPages } = new TransferPolicy(transfer)
  const charges = remapCharges({ way, pages, flushPages, smmu: true })
  return costNs('guestSend') + remapTimeNs(charges, costNs) + costNs('guestIsr')
}

function copyNs(profile: BoardProfile, pages: number): number {
  return Math.ceil((pages * PAGE_BYTES) / profile.dmaBytesPerNs.value)
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
      'latency of one message alone, computed from what the broker charges and typical costs, ns: L/beta and its software, or z(L) with sending and handling it',
    modelCopyNs: 'L/beta alone, without any software: computed, ns',
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
        modelNs: modelNs(profile, transfer, pages),
        modelCopyNs: copyNs(profile, pages),
        seed,
      },
    ]
  },
}
