/** What a turn of a hostile guest asks for: the doorbells to ring, and whether 0 is written to the status register; bits. */
export const HostileKick = { none: 0, receive: 1, transmit: 2, reset: 4 } as const

/** Queues of a vsock device (virtio 1.4 §5.10.2). */
export const RX = 0
export const TX = 1
export const EVENT = 2
