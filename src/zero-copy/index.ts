/** Moving pages instead of copying them: ownership, exchange, lending, colours. Public as `virtio-sdk/zero-copy`. */
export {
  LINE_BYTES,
  type MoveCharges,
  type MoveShape,
  moveCharges,
  pageRuns,
  returnCharges,
  revokeCharges,
} from './charges.ts'
export { type ColorMode, ColorPolicy, type ColorRules } from './color-policy.ts'
export { FrameLedger } from './frame-ledger.ts'
export { Loan, Loans } from './loans.ts'
export { type ExchangeParts, MAX_RUN_PAGES, PageExchange, PageRun } from './page-exchange.ts'
export { PageState } from './page-state.ts'
export { PageStock } from './page-stock.ts'
export { type TransferMode, TransferPolicy, type TransferPolicyOptions, TransferWay } from './transfer-policy.ts'
export { ZeroCopy, type ZeroCopyOptions } from './zero-copy.ts'
export { ZeroCopyCounters } from './zero-copy-counters.ts'
