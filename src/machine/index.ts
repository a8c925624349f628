/**
 * The software of a machine on any platform port: VMs with their RAM, drivers and guests, and a ledger of every message. Knows no board and no
 * bounds.
 */
export type { ColorReport, SharedColors, VmColors } from './color-report.ts'
export { type Guest, type GuestFlow, type GuestProgram, Kick } from './guest.ts'
export { allocateBuffer, type GuestBuffer, HEADER_SLOT_BYTES } from './guest-buffers.ts'
export { Hops } from './hops.ts'
export { MachineMemory } from './machine-memory.ts'
export type { Delivery, FlowLedger, FlowResult, ResponseTimes } from './message-ledger.ts'
export { PayloadSource } from './payload.ts'
export { Software } from './software.ts'
export { DRAM_BYTES, DRAM_HIGH_ADDRESS, DRAM_LOW_BYTES, type Dram, type Stage2Table } from './stage2.ts'
export { type GuestParts, leastRamOf, type MakeGuest } from './vm.ts'
