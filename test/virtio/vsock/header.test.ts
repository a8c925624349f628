import fc from 'fast-check'
import {
  readVsockHeader,
  VSOCK_HEADER_BYTES,
  VsockHeader,
  vsockHeaderLayout,
  writeVsockHeader,
} from 'virtio-sdk/virtio'
import { describe, expect, it } from 'vitest'

const u32 = fc.nat(0xffff_ffff)
const header = fc.record({
  srcCid: fc.maxSafeNat(),
  dstCid: fc.maxSafeNat(),
  srcPort: u32,
  dstPort: u32,
  len: u32,
  type: fc.nat(0xffff),
  op: fc.nat(0xffff),
  flags: u32,
  bufAlloc: u32,
  fwdCnt: u32,
})

describe('vsock header', () => {
  it('is these bytes', () => {
    const bytes = new Uint8Array(VSOCK_HEADER_BYTES)
    const values = { srcCid: 3, dstCid: 2, srcPort: 0x01020304, dstPort: 7, len: 44, type: 1, op: 5, flags: 0x80000000 }
    writeVsockHeader(bytes, 0, Object.assign(new VsockHeader(), values, { bufAlloc: 65536, fwdCnt: 0xffff_ffff }))
    expect(Buffer.from(bytes).toString('hex')).toBe(
      '03000000000000000200000000000000040302010700000' + '02c0000000100050000000080' + '00000100ffffffff',
    )
  })

  it('the declared layout and the codec agree, at any offset', () => {
    fc.assert(
      fc.property(header, fc.nat(7), (values, offset) => {
        const declared = new Uint8Array(VSOCK_HEADER_BYTES)
        vsockHeaderLayout.encode(values, declared)
        const coded = new Uint8Array(VSOCK_HEADER_BYTES + 8)
        writeVsockHeader(coded, offset, Object.assign(new VsockHeader(), values))
        expect(coded.subarray(offset, offset + VSOCK_HEADER_BYTES)).toEqual(declared)
        const out = new VsockHeader()
        expect(readVsockHeader(coded, offset, out)).toBe(true)
        expect({ ...out }).toEqual(values)
      }),
    )
  })

  it('IMP-VSK-02: a CID of 2^53 or more is refused, not rounded', () => {
    for (const at of [6, 14]) {
      const bytes = new Uint8Array(VSOCK_HEADER_BYTES)
      bytes[at] = 0x1f
      expect(readVsockHeader(bytes, 0, new VsockHeader())).toBe(true)
      bytes[at] = 0x20
      expect(readVsockHeader(bytes, 0, new VsockHeader())).toBe(false)
    }
  })
})
