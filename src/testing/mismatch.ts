/** The kit's one verdict against a target: what was expected, what came, and everything needed to see it again. */
export class QueueMismatch extends Error {
  override readonly name = 'QueueMismatch'
  readonly code = 'QUEUE_MISMATCH'

  /** `evidence`: the program, the drawing, the seed; printed below the sentence. */
  constructor(sentence: string, evidence: string, options?: ErrorOptions) {
    super(`${sentence}\n${evidence}`, options)
  }
}
