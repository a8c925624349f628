/**
 * What a peer may do wrong with a virtqueue of either format: a rule, and the clause that it breaks. A violation is data. It never
 * throws, it breaks at most its own queue, and it is always reported.
 */

/** Rule -> clause of a split ring. Where the standard leaves a rule implied, the clause is the one that cannot hold otherwise. */
export const VIOLATION_CLAUSES = {
  // Faults of the available ring: the position in it is lost, so these break the queue whatever its policy.
  'available-index-jump': 'VQS-AVL-DRV-01',
  'head-out-of-range': 'IMP-VQS-02',
  'head-in-flight': 'IMP-VQS-09',
  // Faults of one chain, whose head is known.
  'next-out-of-range': 'IMP-VQS-02',
  'chain-too-long': 'VQS-IND-DRV-03',
  'chain-too-large': 'VQS-DESC-DRV-01',
  'readable-after-writable': 'VQS-FRM-DRV-01',
  'buffer-outside-memory': 'IMP-VQS-09',
  'indirect-not-negotiated': 'VQS-IND-DRV-01',
  'indirect-nested': 'VQS-IND-DRV-02',
  'indirect-with-next': 'VQS-IND-DRV-04',
  'indirect-length': 'IMP-VQS-05',
  'indirect-too-long': 'VQS-IND-DRV-03',
  'indirect-outside-memory': 'IMP-VQS-09',
  'indirect-next-out-of-range': 'IMP-VQS-05',
  // Faults of the device, seen by the driver.
  'used-index-jump': 'IMP-VQS-01',
  'used-id-out-of-range': 'IMP-VQS-03',
  'used-id-not-outstanding': 'IMP-VQS-03',
  'used-length-too-large': 'IMP-VQS-04',
} as const

/** Rule -> clause of a packed ring. */
export const PACKED_VIOLATION_CLAUSES = {
  // Faults of the list of slots: whose buffer it is cannot be said, so these break the queue whatever its policy.
  'chain-too-long': 'VQP-SG-DRV-02',
  'slot-in-flight': 'VQP-DRV-02',
  'id-in-flight': 'IMP-VQP-04',
  // Faults of one chain, whose id and length in the ring are known.
  'chain-too-large': 'VQP-SG-DRV-01',
  'readable-after-writable': 'VQP-SG-DRV-03',
  'buffer-outside-memory': 'RFB-DRV-05',
  'indirect-not-negotiated': 'VQP-IND-DRV-01',
  'indirect-in-list': 'VQP-IND-DRV-04',
  'indirect-length': 'IMP-VQP-10',
  'indirect-too-long': 'VQP-IND-DRV-03',
  'indirect-outside-memory': 'RFB-DRV-05',
  // Faults of the device, seen by the driver.
  'used-id-not-outstanding': 'IMP-VQP-06',
  'used-length-too-large': 'IMP-VQP-08',
} as const

/** A rule of a packed ring that a peer can break, by name. */
export type PackedViolationRule = keyof typeof PACKED_VIOLATION_CLAUSES
/** A rule of a ring that a peer can break, by name. */
export type ViolationRule = keyof typeof VIOLATION_CLAUSES | PackedViolationRule
/** A rule of a split ring that a peer can break, by name. */
export type SplitViolationRule = keyof typeof VIOLATION_CLAUSES

/** A rule of the ring that the peer broke, with the clause and what was seen. */
export interface Violation {
  readonly rule: ViolationRule
  /** Id of the clause in the conformance map. */
  readonly clause: string
  /** Index of the queue in its device. */
  readonly queue: number
  /** Head of the offending chain, of a packed ring its buffer id; -1 when none is known. */
  readonly head: number
  /** For people: what was found where. */
  readonly message: string
}

/** `detail` says what was found: `descriptor 5 links to 300`. */
export function makeViolation(rule: SplitViolationRule, queue: number, head: number, detail: string): Violation {
  return violationOf(rule, VIOLATION_CLAUSES[rule], queue, head, detail)
}

/** The same of a packed ring, where `head` is a buffer id. */
export function makePackedViolation(rule: PackedViolationRule, queue: number, head: number, detail: string): Violation {
  return violationOf(rule, PACKED_VIOLATION_CLAUSES[rule], queue, head, detail)
}

function violationOf(rule: ViolationRule, clause: string, queue: number, head: number, detail: string): Violation {
  return { rule, clause, queue, head, message: `queue ${queue}: ${rule} (${clause}): ${detail}` }
}

/** For saved states, which are foreign input. */
export function isViolation(value: unknown): value is Violation {
  const rule = (value as Violation | null)?.rule
  return (
    typeof rule === 'string' &&
    (Object.hasOwn(VIOLATION_CLAUSES, rule) || Object.hasOwn(PACKED_VIOLATION_CLAUSES, rule))
  )
}
