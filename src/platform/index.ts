/** What the broker asks of every platform: port, DMA lists, and one vocabulary of costs. Knows no board. */
export { type Charges, chargedNs, sumCharges, timesCharges } from './charges.ts'
export { COST_OPS, CostOp, type CostOpName } from './cost-op.ts'
export { DmaList } from './dma-list.ts'
export { BrokerCause, BrokerQueue, NO_INTERRUPT, PlatformCapability, type PlatformPort, StepResult } from './port.ts'
