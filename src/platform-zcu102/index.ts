/** The simulated ZCU102 and whole machines on it. Public as `virtio-sdk/platform-zcu102`. */
export { assumptionsOf } from './assumptions.ts'
export type { BoardProfile, CostTriple, Fact } from './board-profile.ts'
export type { ColorReport, SharedColors, VmColors } from './color-report.ts'
export type { Design, Intruder } from './machine.ts'
export type { FlowResult, ResponseTimes } from './message-ledger.ts'
export { type DesignResult, type SimulationOptions, simulate } from './simulate.ts'
export { chromeTrace } from './trace-names.ts'
export { BOARD_PROFILES, zcu102 } from './zcu102.ts'
