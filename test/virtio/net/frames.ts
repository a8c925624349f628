/** Frames for tests. */

export const [MAC_A, MAC_B, MAC_C] = ['02:00:00:00:00:0a', '02:00:00:00:00:0b', '02:00:00:00:00:0c'] as const
export const BROADCAST = 'ff:ff:ff:ff:ff:ff'
export const GROUP = '33:33:00:00:00:01'

export const macBytes = (mac: string) => mac.split(':').map((byte) => Number.parseInt(byte, 16))

/** A frame of `lengthBytes` in all, whose payload counts from `first`. */
export function frameOf(to: string, from: string, lengthBytes = 60, first = 0, type = 0x88b5): Uint8Array {
  const frame = Uint8Array.from({ length: lengthBytes }, (_, i) => first + i)
  frame.set([...macBytes(to), ...macBytes(from), type >>> 8, type & 0xff].slice(0, lengthBytes))
  return frame
}

/** The same with an 802.1Q tag. */
export function taggedFrame(to: string, from: string, vlan: number, lengthBytes = 64): Uint8Array {
  const frame = frameOf(to, from, lengthBytes)
  frame.set([0x81, 0, vlan >>> 8, vlan & 0xff, 8, 0], 12)
  return frame
}

/** A TCP or UDP packet over IPv4, whose checksum field holds the pseudo-header sum, as NEEDS_CSUM wants it. */
export function ipv4Frame(to: string, from: string, payloadBytes: number, protocol: 6 | 17 = 17, ports = [1000, 2000]) {
  const transportBytes = (protocol === 6 ? 20 : 8) + payloadBytes
  const frame = frameOf(to, from, 34 + transportBytes, 7, 0x0800)
  const ip = new DataView(frame.buffer, 14)
  ip.setUint8(0, 0x45)
  ip.setUint16(2, 20 + transportBytes)
  ip.setUint16(6, 0)
  ip.setUint8(9, protocol)
  ip.setUint32(12, 0x0a00_0001)
  ip.setUint32(16, 0x0a00_0002)
  ip.setUint16(20, ports[0]!)
  ip.setUint16(22, ports[1]!)
  const csumOffset = protocol === 6 ? 16 : 6
  ip.setUint16(20 + csumOffset, folded(0x0a00 + 1 + 0x0a00 + 2 + protocol + transportBytes))
  return { frame, csumStart: 34, csumOffset }
}

/** Ones' complement sum of everything from `at` on: 0xffff for a finished checksum, once the pseudo header is added. */
export function sumFrom(bytes: Uint8Array, at: number): number {
  let sum = 0
  for (let i = at; i < bytes.length; i += 2) sum += (bytes[i]! << 8) | (bytes[i + 1] ?? 0)
  return folded(sum)
}

export function folded(sum: number): number {
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000)
  return sum
}
