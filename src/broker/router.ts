/**
 * The broker knows rings and buffers, not device types. Whoever composes it hands it a router, which reads the header of
 * a message and names its flow (vsock: cid and port; net: addresses).
 */
export interface Router {
  /** Bytes of header in front of every message and every delivered piece. */
  readonly headerBytes: number

  /**
   * The flow of a message that `vm` sent, or -1 when the header is not one that `vm` may send: then the message is
   * refused and its buffer returned. `header` is the broker's own copy; the guest cannot change it any more.
   */
  route(vm: number, header: Uint8Array, payloadBytes: number): number

  /** Rewrites the copied header for one delivered piece. Neither keeps nor reads guest memory. */
  writePieceHeader(header: Uint8Array, pieceBytes: number): void
}
