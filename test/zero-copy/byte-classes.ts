/**
 * Bytes that say whose they are. Wherever a byte turns up, its value tells who wrote it and for whom, so a leak is seen
 * without following copies.
 */
const PRIVATE = 0x10
const MESSAGE = 0x40
const CONTROL = 0xf0

export const MAX_VMS = 3

/** Private to a VM. */
export function privateByte(vm: number, position: number): number {
  return PRIVATE + vm * 8 + (position & 7)
}

/** Payload from one VM to another; 16 values, so that a byte of another message or place is most likely another. */
export function messageByte(from: number, to: number, sequence: number, position: number): number {
  const variant = (Math.imul(position + 1, 0x9e37_79b1) ^ Math.imul(sequence + 1, 0x85eb_ca6b)) >>> 28
  return MESSAGE + (from * MAX_VMS + to) * 16 + variant
}

/** A byte of a header: four bits that everybody may see. */
export function controlByte(nibble: number): number {
  return CONTROL + nibble
}

export function isControl(byte: number): boolean {
  return byte >= CONTROL
}

/**
 * Whether `vm` may see the byte. What a hostile VM was told, and what is its own, it may have told anybody.
 */
export function maySee(vm: number, byte: number, hostile: number): boolean {
  if (byte === 0 || isControl(byte)) return true
  if (byte >= PRIVATE && byte < PRIVATE + 8 * MAX_VMS) {
    const owner = (byte - PRIVATE) >> 3
    return owner === vm || owner === hostile
  }
  if (byte >= MESSAGE && byte < MESSAGE + 16 * MAX_VMS * MAX_VMS) {
    const pair = (byte - MESSAGE) >> 4
    const [from, to] = [Math.floor(pair / MAX_VMS), pair % MAX_VMS]
    return from === vm || to === vm || from === hostile || to === hostile
  }
  return false
}
