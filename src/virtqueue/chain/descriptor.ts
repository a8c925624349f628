/** A descriptor as both rings have it: 16 bytes, of which the address and the length come first, and its flags. */

/** Descriptor flag: the chain goes on. */
export const VIRTQ_DESC_F_NEXT = 1
/** Descriptor flag: the device writes the buffer; otherwise it reads it. */
export const VIRTQ_DESC_F_WRITE = 2
/** Descriptor flag: the buffer is a table of descriptors. */
export const VIRTQ_DESC_F_INDIRECT = 4

export const DESCRIPTOR_BYTES = 16
/** VQS-DESC-DRV-01, less the one total that a used length could not say. */
export const MAX_CHAIN_BYTES = 0xffff_ffff
