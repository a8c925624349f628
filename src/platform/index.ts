export { type Charges, chargedNs, sumCharges, timesCharges } from './charges.ts'
export { COST_OPS, CostOp, type CostOpName } from './cost-op.ts'
export { DmaList } from './dma-list.ts'
export { BrokerCause, BrokerQueue, NO_INTERRUPT, PlatformCapability, type PlatformPort, StepResult } from './port.ts'
