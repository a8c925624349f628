/** QEMU's model of the ZCU102 behind the simulated board: what the board decides is done there, and counted. */
export type { QemuCounts } from './qemu-board.ts'
export { type QemuOptions, type QemuResult, simulateOnQemu } from './simulate-on-qemu.ts'
