/**
 * What a driver does wrong that is no fault of a ring: illegal writes of status, features, queue registers, configuration, and
 * requests that make no sense. It is ignored or answered, as a device must survive it (museum 23-25), and told to observers in
 * the shape of a virtqueue's `Violation`.
 */
export type ProtocolRule =
  | 'status-bit-cleared'
  | 'status-after-failed'
  | 'status-needs-reset'
  | 'status-unknown-bit'
  | 'status-step-skipped'
  | 'status-while-resetting'
  | 'features-not-offered'
  | 'features-not-closed'
  | 'features-without-version-1'
  | 'features-after-features-ok'
  | 'queue-absent'
  | 'queue-before-features-ok'
  | 'queue-rewritten-while-enabled'
  | 'queue-setup-refused'
  | 'queue-reset-not-negotiated'
  | 'notify-before-driver-ok'
  | 'config-before-features-ok'
  | 'config-read-only'
  // Of a transport's register file: an access that no register takes.
  | 'register-access'
  // Requests of a device type that are whole as a chain, and wrong as a request.
  | 'vsock-header-malformed'
  | 'vsock-event-malformed'
  | 'vsock-source-cid'
  | 'vsock-buffers-useless'
  | 'net-frame-malformed'
  | 'net-header-malformed'
  | 'net-frame-too-long'
  | 'net-command-refused'
  | 'net-buffers-useless'
  | 'blk-request-refused'
  | 'console-message-refused'
  | 'console-port-absent'
  | 'console-buffers-useless'

/** A rule that the driver broke outside of the rings: in registers, configuration or a device's own messages. */
export interface ProtocolViolation {
  readonly rule: ProtocolRule
  /** The clause of the specification that was broken, by its id in the conformance map. */
  readonly clause: string
  readonly message: string
  /** Queue index, or -1 when no queue is concerned. */
  readonly queue: number
  readonly cause?: unknown
}

export function protocolViolation(
  rule: ProtocolRule,
  clause: string,
  message: string,
  queue = -1,
  cause?: unknown,
): ProtocolViolation {
  return { rule, clause, message, queue, cause }
}
