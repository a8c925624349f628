/** For every key figure, verdict and title of the report: what the raw rows make of it, computed here once more. */
import type { ReportData } from 'virtio-sdk/evaluation'
import { expect } from 'vitest'
import { ACCEPTANCE_CLAIMS } from './acceptance-claims.ts'
import { BOARDS_CLAIMS } from './boards-claims.ts'
import { MACHINE_CLAIMS } from './machine-claims.ts'
import { PESSIMISM_CLAIMS } from './pessimism-claims.ts'
import { plain } from './reading.ts'
import type { Oracle, Raw, Said } from './rows.ts'
import { TRANSFER_CLAIMS } from './transfer-claims.ts'

export const ORACLES: Readonly<Record<string, Oracle>> = {
  ...ACCEPTANCE_CLAIMS,
  ...PESSIMISM_CLAIMS,
  ...MACHINE_CLAIMS,
  ...TRANSFER_CLAIMS,
  ...BOARDS_CLAIMS,
}

/** Holds one sentence against the raw rows; throws where they differ. */
export function judge(said: Said, raw: Raw, manifest: ReportData['manifest']): void {
  const oracle = ORACLES[said.id]
  expect(oracle, `${said.id} has nobody who computes it once more`).toBeDefined()
  oracle!({ ...said, text: plain(said.text), head: plain(said.head) }, raw, manifest)
}
