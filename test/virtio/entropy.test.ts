import { SharedMemoryTransport } from 'virtio-sdk/transport'
import { entropyDevice, startDriver } from 'virtio-sdk/virtio'
import { DescriptorChain } from 'virtio-sdk/virtqueue'
import { describe, expect, it } from 'vitest'
import { Random } from '../../src/internal/random.ts'

function seeded(seed: number, most = Number.POSITIVE_INFINITY) {
  const random = new Random(seed)
  return (target: Uint8Array) => {
    const count = Math.min(target.length, most)
    for (let i = 0; i < count; i++) target[i] = random.u32()
    return count
  }
}

describe('entropy device', () => {
  it('RNG-DEV-01: delivers bytes of its source, the same for the same seed', async () => {
    const ask = async (seed: number) => {
      const driver = startDriver(new SharedMemoryTransport(entropyDevice({ source: seeded(seed) }).create()))
      return (await driver.requests.call([], { reply: 64 })).bytes
    }
    expect(await ask(1)).toEqual(await ask(1))
    expect(await ask(1)).not.toEqual(await ask(2))
    expect((await ask(1)).length).toBe(64)
  })

  it('RNG-DEV-02, RNG-DRV-02: a short delivery is allowed, and only what was delivered counts', async () => {
    const driver = startDriver(new SharedMemoryTransport(entropyDevice({ source: seeded(1, 5) }).create()))
    expect((await driver.requests.call([], { reply: 64 })).bytes.length).toBe(5)
    const large = startDriver(new SharedMemoryTransport(entropyDevice({ source: seeded(1) }).create()))
    expect((await large.requests.call([], { reply: 10_000 })).bytes.length).toBe(4096)
  })

  it('RNG-DRV-01: a call without bytes to send puts only writable buffers into the queue', async () => {
    const device = entropyDevice({ source: seeded(1) }).create()
    const rung: number[] = []
    const transport = new SharedMemoryTransport(device, { doorbell: (queue) => rung.push(queue) })
    const driver = startDriver(transport)
    const calls = [[], [new Uint8Array(0)]].map((readable) => driver.requests.call(readable, { reply: 8 }))
    const chain = new DescriptorChain()
    const ring = device.queues.requests.ring!
    for (let i = 0; i < 2; i++) {
      expect(ring.popAvailable(chain)).toBe(true)
      expect([chain.descriptorCount, chain.readableBytes, chain.writableBytes]).toEqual([1, 0, 8])
      ring.addUsed(chain.id, 0)
    }
    ring.publish()
    driver.poll()
    for (const call of calls) expect((await call).bytes.length).toBe(0)
  })

  it('RNG-DRV-01: a buffer that is not writable comes back empty, and the source is not asked', async () => {
    let asked = 0
    const source = (target: Uint8Array) => {
      asked++
      return target.length
    }
    const driver = startDriver(new SharedMemoryTransport(entropyDevice({ source }).create()))
    expect((await driver.requests.call([new Uint8Array(8)])).bytes.length).toBe(0)
    expect(asked).toBe(0)
  })

  it('RNG-DEV-01: a source that delivers nothing is our own mistake', async () => {
    const device = entropyDevice({ source: () => 0 }).create()
    const faults: string[] = []
    device.events.on('fault', (error) => faults.push((error as Error).message))
    const driver = startDriver(new SharedMemoryTransport(device))
    await expect(driver.requests.call([], { reply: 8 })).rejects.toThrow('reset')
    expect(faults[0]).toContain('must be an integer from 1 to 8, not 0')
  })

  it.each([0.5, Number.NaN, -1, 65, '8', undefined])(
    'RNG-DEV-01: nor one that delivers %s bytes of 64',
    async (count) => {
      const device = entropyDevice({ source: () => count as number }).create()
      const faults: unknown[] = []
      device.events.on('fault', (error) => faults.push(error))
      const driver = startDriver(new SharedMemoryTransport(device))
      await expect(driver.requests.call([], { reply: 64 })).rejects.toThrow('must be an integer from 1 to 64, not')
      expect(faults.length).toBe(1)
    },
  )

  it('RNG-DEV-01: a source that throws is no empty answer, also with policy reject', async () => {
    for (const policy of ['needs-reset', 'reject'] as const) {
      const bug = new Error('no entropy')
      const source = () => {
        throw bug
      }
      const device = entropyDevice({ source }).create({ policy })
      const faults: unknown[] = []
      device.events.on('fault', (error) => faults.push(error))
      const driver = startDriver(new SharedMemoryTransport(device))
      await expect(driver.requests.call([], { reply: 64 })).rejects.toMatchObject({ cause: bug })
      expect(faults).toEqual([bug])
    }
  })

  it('RNG-DEV-01: an async source is none, whatever its promise does', async () => {
    for (const source of [async () => 4, async () => Promise.reject(new Error('no entropy'))] as never[]) {
      const device = entropyDevice({ source }).create()
      device.events.on('fault', () => {})
      const driver = startDriver(new SharedMemoryTransport(device))
      await expect(driver.requests.call([], { reply: 4 })).rejects.toThrow('from 1 to 4, not a Promise')
    }
  })

  it('what no entropy device can be is refused', () => {
    const refused = (name: string) =>
      expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringContaining(`${name} must be`) })
    for (const source of [undefined, null, 5, 'random'] as never[]) {
      expect(() => entropyDevice({ source })).toThrow(refused('source'))
    }
    for (const queueSize of [Number.NaN, -1, 0, 0.5, 3, 65536, 2 ** 32, 2 ** 53, '8'] as number[]) {
      expect(() => entropyDevice({ source: seeded(1), queueSize })).toThrow(refused('queueSize'))
    }
  })
})
