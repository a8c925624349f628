/**
 * Where everything lies in the RAM of QEMU's ZCU102. VMs have the frames that the board gives them, at their own addresses; the 16 MiB behind the
 * board's 4 GiB are the agent's and the process's. Of those, places are offsets.
 */
import { DRAM_BYTES, DRAM_HIGH_ADDRESS, DRAM_LOW_BYTES } from '../machine/index.ts'

const CONTROL_ADDRESS = addressAt(DRAM_BYTES)
export const CONTROL_BYTES = 0x100_0000
/** Of the machine. Its RAM is a file; below 2 GiB, offset and address are the same. */
export const RAM_BYTES = DRAM_BYTES + CONTROL_BYTES

export const AGENT = 0x8_0000
export const MAILBOXES = 0x10_0000
export const MAILBOX_BYTES = 0x1000
/** Registers of a guest that does not run, by VM. */
export const CONTEXTS = 0x14_0000
export const CONTEXT_BYTES = 0x400
/** Program, data and stack of a guest, by VM. */
export const PROGRAMS = 0x20_0000
export const PROGRAM_BYTES = 0x8_0000
export const MAX_VMS = 8
/** Descriptors of the DMA: source list and destination list. */
export const SOURCE_LIST = 0x60_0000
export const DESTINATION_LIST = 0x70_0000
export const LIST_BYTES = 0x10_0000
/** Stage-2 tables. */
export const TABLES = 0x80_0000
export const TABLES_BYTES = 0x7f_0000
/** A few bytes that the DMA moves to and fro before it waits for the clock. */
export const GATE = 0xff_0000

/** Physical address of a place in the control area. */
export function physical(place: number): number {
  return CONTROL_ADDRESS + place
}

/** Where in the file of the RAM a physical address lies, and the other way round. */
export function fileOffsetOf(address: number): number {
  return address < DRAM_LOW_BYTES ? address : address - DRAM_HIGH_ADDRESS + DRAM_LOW_BYTES
}

function addressAt(fileOffset: number): number {
  return fileOffset < DRAM_LOW_BYTES ? fileOffset : fileOffset - DRAM_LOW_BYTES + DRAM_HIGH_ADDRESS
}

/** As a guest sees it: its program, what it is asked, and the page whose accesses trap. RAM is where the machine puts it. */
export const GUEST_PROGRAM = 0x1_0000
export const GUEST_JOB_OFFSET = 0x5_0000
export const GUEST_DOORBELL = 0x0a00_0000
export const GUEST_GICC = 0xf902_0000

/** Registers of the ZCU102 (UG1085). */
export const GICD = 0xf901_0000
export const GICC = 0xf902_0000
export const GICH = 0xf904_0000
export const GICV = 0xf906_0000
/** Channels 0 and 1 of the FPD DMA: one moves messages, the other fills pages. */
export const GDMA0 = 0xfd50_0000
export const GDMA1 = 0xfd51_0000
export const GDMA0_INTERRUPT = 32 + 124
