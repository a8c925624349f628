/** Ethernet addresses as two numbers, for tables that are looked at for every frame: 16 bits, then 32. */
import { refuseOption } from '../../../internal/check-option.ts'

export interface MacAddress {
  /** The first two bytes. */
  readonly high: number
  /** The last four. */
  readonly low: number
}

/** Of `02:00:00:00:00:01`. Throws `VirtioError` INVALID_OPTION. */
export function parseMac(name: string, text: unknown): MacAddress {
  if (typeof text !== 'string' || !/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(text)) {
    refuseOption(name, text, 'six bytes like 02:00:00:00:00:01')
  }
  const digits = (text as string).replaceAll(':', '')
  return { high: Number.parseInt(digits.slice(0, 4), 16), low: Number.parseInt(digits.slice(4), 16) }
}

/** The address of a station: no group. Throws `VirtioError` INVALID_OPTION. */
export function parseStation(name: string, text: unknown): MacAddress {
  const address = parseMac(name, text)
  if (isGroup(address)) refuseOption(name, text, 'the address of a station: the lowest bit of its first byte is 0')
  return address
}

export function isGroup({ high }: MacAddress): boolean {
  return (high & 0x100) !== 0
}

/** Six bytes at `at`. */
export function macAt(bytes: Uint8Array, at: number): MacAddress {
  return { high: highAt(bytes, at), low: lowAt(bytes, at) }
}

/** The first two bytes of the address at `at`. */
export function highAt(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!
}

/** The last four. */
export function lowAt(bytes: Uint8Array, at: number): number {
  return ((bytes[at + 2]! << 24) | (bytes[at + 3]! << 16) | (bytes[at + 4]! << 8) | bytes[at + 5]!) >>> 0
}

export function putMac({ high, low }: MacAddress, bytes: Uint8Array, at: number): void {
  bytes.set([high >>> 8, high, low >>> 24, low >>> 16, low >>> 8, low], at)
}

export function formatMac({ high, low }: MacAddress): string {
  const digits = high.toString(16).padStart(4, '0') + low.toString(16).padStart(8, '0')
  return digits.match(/../g)!.join(':')
}
