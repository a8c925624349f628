/** What is handed to an endpoint that stands alone, to `post`, and to sets of features: what is none of it is refused by name. */
import type { VirtioError } from 'virtio-sdk'
import { GuestMemory } from 'virtio-sdk/memory'
import { SharedMemoryTransport } from 'virtio-sdk/transport'
import {
  FeatureSet,
  readVsockHeader,
  startDriver,
  VsockEndpoint,
  VsockHeader,
  writeVsockHeader,
} from 'virtio-sdk/virtio'
import { BufferList } from 'virtio-sdk/virtqueue'
import { describe, expect, it } from 'vitest'
import { adder } from './adder.ts'

// biome-ignore lint/suspicious/noExplicitAny: what a program without types does
type Anything = any

/** Code and message of what `run` throws or rejects with. */
async function refusal(run: () => unknown): Promise<string> {
  try {
    await run()
  } catch (error) {
    const { name, code, message } = error as VirtioError
    return `${name} ${code}: ${message}`
  }
  return 'accepted'
}

const refused = (message: string) => `VirtioError INVALID_OPTION: ${message}`

function live() {
  const device = adder.create()
  const transport = new SharedMemoryTransport(device)
  return { device, transport, driver: startDriver(transport) }
}

describe('packets of an endpoint that stands alone', () => {
  it('are headers and payloads', async () => {
    const endpoint = new VsockEndpoint(2)
    const payload = { remaining: 0, into: () => 0 }
    for (const wrong of [null, undefined, 5, 'abc', []] as Anything[]) {
      expect(await refusal(() => endpoint.receive(wrong, payload))).toContain('header must be a VsockHeader, not')
      expect(await refusal(() => endpoint.receive(new VsockHeader(), wrong))).toContain(
        'payload must be a PayloadSource',
      )
      expect(await refusal(() => endpoint.nextPacket(wrong, new Uint8Array(64)))).toContain('out must be a VsockHeader')
      expect(await refusal(() => endpoint.nextPacket(new VsockHeader(), wrong))).toContain(
        'target must be a Uint8Array',
      )
    }
    expect(endpoint.hasOutgoing).toBe(false)
  })
})

describe('chains of the caller', () => {
  it('have buffers, and as many of them in a table as it has entries', async () => {
    const { driver } = live()
    const buffers = new BufferList().addReadable(0x4000_0000, 4).addReadable(0x4000_0000, 4)
    expect(await refusal(() => driver.requests.post(new BufferList(), () => {}))).toBe(
      refused('buffers must be a BufferList with at least one buffer, not an object'),
    )
    for (const wrong of [null, -1, 0.5, Number.NaN, 3, '1'] as Anything[]) {
      expect(await refusal(() => driver.requests.post(buffers, () => {}, wrong))).toContain('direct must be an integer')
    }
    expect(await refusal(() => driver.requests.post(buffers, () => {}, 1))).toContain(
      'direct leaves 1 buffers to a table',
    )
    expect(driver.requests.ring.outstanding).toBe(0)
  })
})

describe('bytes', () => {
  it('of a header have room for it', async () => {
    for (const [bytes, offset] of [
      [new Uint8Array(43), 0],
      [new Uint8Array(44), 1],
      [new Uint8Array(50), -1],
      [new Uint8Array(50), 0.5],
      [new Uint8Array(50), Number.NaN],
    ] as [Uint8Array, number][]) {
      for (const access of [readVsockHeader, writeVsockHeader]) {
        expect(await refusal(() => access(bytes, offset, new VsockHeader()))).toContain('VirtioError INVALID_OPTION')
      }
    }
    expect(readVsockHeader(new Uint8Array(45), 1, new VsockHeader())).toBe(true)
  })

  it('of guest memory are bytes', async () => {
    const memory = GuestMemory.ofSize(4096)
    memory.fill(0, 16, 7)
    for (const wrong of [null, undefined, 5, 'abc', [1, 2], new Uint16Array(2), new ArrayBuffer(4)] as Anything[]) {
      expect(await refusal(() => memory.write(0, wrong))).toContain('source must be a Uint8Array, not')
      expect(await refusal(() => memory.read(0, wrong))).toContain('target must be a Uint8Array, not')
      expect(await refusal(() => memory.writeU64(0, wrong))).toContain('value must be a bigint, not')
    }
    expect(memory.readU64(0)).toBe(0x0707070707070707n)
  })
})

describe('sets of features', () => {
  it('meet sets of features', async () => {
    for (const wrong of [null, undefined, 5, 'abc', {}, [1]] as Anything[]) {
      for (const method of ['union', 'intersection', 'difference', 'isSubsetOf', 'equals'] as const) {
        expect(await refusal(() => FeatureSet.of(1)[method](wrong))).toContain('other must be a FeatureSet, not')
      }
    }
  })
})
