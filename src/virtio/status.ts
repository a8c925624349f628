/**
 * The device status field as a state machine (virtio 1.4 §2.1, §3.1): which write is legal in which state. The driver moves
 * ACKNOWLEDGE -> DRIVER -> FEATURES_OK -> DRIVER_OK, may add FAILED at any time, and leaves by writing 0. An illegal write
 * changes nothing and is told to observers (museum 25); DEVICE_NEEDS_RESET belongs to the device and is ignored in writes.
 *
 *   0 --> ACK --> ACK DRV --> ACK DRV FOK --> ACK DRV FOK DOK        any --FAILED--> only 0 leads out
 *
 * Deviations: ACKNOWLEDGE and DRIVER may arrive in one write, as SeaBIOS does it, and ACKNOWLEDGE may be left out, as U-Boot does
 * after its second reset: it writes 2, 0xa, 0xe. FEATURES_OK and DRIVER_OK may not be joined or left out: each has an answer that
 * the driver must read first (INIT-DRV-01).
 */
import { checkInteger, MAX_U32 } from '../internal/check-option.ts'
import { ACKNOWLEDGE, DEVICE_NEEDS_RESET, DRIVER, DRIVER_OK, FAILED, FEATURES_OK } from './constants.ts'
import { type ProtocolViolation, protocolViolation } from './protocol-violation.ts'

const SETUP_BITS = ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK
const DRIVER_BITS = SETUP_BITS | FAILED

/** What the driver may add in one write, by the setup bits that are already set. */
const NEXT_STEPS: ReadonlyMap<number, readonly number[]> = new Map([
  [0, [ACKNOWLEDGE, ACKNOWLEDGE | DRIVER, DRIVER]],
  [ACKNOWLEDGE, [DRIVER]],
  [ACKNOWLEDGE | DRIVER, [FEATURES_OK]],
  [ACKNOWLEDGE | DRIVER | FEATURES_OK, [DRIVER_OK]],
  [SETUP_BITS, []],
  [DRIVER, [FEATURES_OK]],
  [DRIVER | FEATURES_OK, [DRIVER_OK]],
  [DRIVER | FEATURES_OK | DRIVER_OK, []],
])

/**
 * What is wrong with the driver writing `written` while the field reads `current`; null when it is legal. Writing 0 (reset)
 * and repeating the present value always are. Whether FEATURES_OK sticks is the device's decision, not this table's.
 */
export function checkStatusWrite(current: number, written: number): ProtocolViolation | null {
  checkInteger('status', written, 0, MAX_U32)
  if (written === 0) return null
  const before = current & DRIVER_BITS
  const after = written & ~DEVICE_NEEDS_RESET
  if ((before & ~after) !== 0) {
    return misuse('status-bit-cleared', 'STATUS-DRV-02', current, written, 'bits are only cleared by a reset')
  }
  const added = after & ~before
  if (added === 0 || added === FAILED) return null
  if ((current & FAILED) !== 0) {
    return misuse('status-after-failed', 'STATUS-DRV-03', current, written, 'FAILED is left by a reset')
  }
  if ((current & DEVICE_NEEDS_RESET) !== 0) {
    return misuse('status-needs-reset', 'STATUS-DEV-02', current, written, 'the device waits for a reset')
  }
  if ((after & ~DRIVER_BITS) !== 0) {
    return misuse('status-unknown-bit', 'SUSP-DRV-01', current, written, 'the bit is reserved or was not negotiated')
  }
  if (NEXT_STEPS.get(before)?.includes(added)) return null
  return misuse('status-step-skipped', 'STATUS-DRV-01', current, written, 'each step is taken in turn')
}

/** Whether a driver that only makes legal writes, and a device that may need a reset, can get there. */
export function isReachableStatus(status: number): boolean {
  return NEXT_STEPS.has(status & ~(FAILED | DEVICE_NEEDS_RESET))
}

function misuse(
  rule: ProtocolViolation['rule'],
  clause: string,
  current: number,
  written: number,
  why: string,
): ProtocolViolation {
  return protocolViolation(rule, clause, `status ${hex(written)} written over ${hex(current)}: ${why}`)
}

function hex(status: number): string {
  return `0x${status.toString(16).padStart(2, '0')}`
}
