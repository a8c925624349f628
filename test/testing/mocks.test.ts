import { describe, expect, it } from 'vitest'
import { Random } from '../../src/internal/random.ts'
import { usedElementAt, usedIdxAt } from '../../src/testing/format/split/split-ring-format.ts'
import { MockDevice, MockDriver, type MockRequest, RingChecker } from '../../src/testing/index.ts'
import {
  BufferList,
  DescriptorChain,
  SplitDeviceQueue,
  SplitDriverQueue,
  UsedBuffer,
} from '../../src/virtqueue/index.ts'

const hello = Uint8Array.from('hello', (letter) => letter.charCodeAt(0))
const code = (name: string) => expect.objectContaining({ code: name })

function pair(options: ConstructorParameters<typeof MockDriver>[0] = {}) {
  const driver = new MockDriver(options)
  return {
    driver,
    device: new MockDevice(driver.memory, driver.ring),
    checker: new RingChecker(driver.memory, driver.ring),
  }
}

describe('MockDriver and MockDevice', () => {
  it.each(['whole', 'bytes', 'random'] as const)(
    'VQS-FRM-DEV-01: a request arrives whole in framing %s, and so does its reply',
    (framing) => {
      const { driver, device } = pair({ size: 16, indirect: true, seed: 7 })
      for (let round = 0; round < 50; round++) {
        const request = driver.send([hello, Uint8Array.of(round)], 6, { framing })!
        const chain = device.take()!
        expect([...chain.request]).toEqual([...hello, round])
        expect(chain.replyBytes).toBe(6)
        device.complete(chain, Uint8Array.of(1, 2, round))
        expect(request.done).toBe(false)
        expect(driver.receive()).toBe(request)
        expect([...request.reply()]).toEqual([1, 2, round])
        expect([...request.buffer()]).toEqual([1, 2, round, 0xa5, 0xa5, 0xa5])
      }
    },
  )

  it('any order, many at once; everything comes back, and the ring is free again', () => {
    const { driver, device, checker } = pair({ size: 8 })
    const random = new Random(3)
    for (let round = 0; round < 100; round++) {
      const sent: MockRequest[] = []
      for (
        let request = driver.send([Uint8Array.of(sent.length)], 1);
        request;
        request = driver.send([Uint8Array.of(sent.length)], 1)
      )
        sent.push(request)
      expect(sent.length).toBe(4)
      expect(device.serve(({ request }) => request, random)).toBe(4)
      checker.observe()
      for (let got = driver.receive(); got; got = driver.receive())
        expect([...got.reply()]).toEqual([sent.indexOf(got)])
      expect(driver.outstanding + device.held).toBe(0)
    }
    checker.expectIdle()
  })

  it('VQS-NTF-DEV-01, VQS-NTF-DRV-07: counts kicks and interrupts that are due, and none that are not', () => {
    for (const eventIdx of [false, true]) {
      const { driver, device } = pair({ eventIdx })
      driver.send([hello], 1)
      expect(driver.kick()).toBe(true)
      expect(driver.kick()).toBe(false)
      device.setKicks(false)
      driver.send([hello], 1)
      expect(driver.kick()).toBe(false)
      expect(driver.kicks).toBe(1)
      driver.setInterrupts(true)
      device.serve(() => Uint8Array.of(0))
      expect(device.interrupt()).toBe(true)
      expect(device.interrupts).toBe(1)
    }
  })

  it('tests a real device side, and a real driver side', () => {
    const { memory, ring } = new MockDriver({ size: 4 })
    const mock = new MockDriver({ size: 4 })
    const queue = new SplitDeviceQueue(mock.memory, mock.ring)
    mock.send([hello], 4)
    const chain = new DescriptorChain()
    expect(queue.popAvailable(chain)).toBe(true)
    queue.addUsed(chain.id, 4)
    queue.publish()
    expect(mock.receive()!.writtenBytes).toBe(4)

    const device = new MockDevice(memory, ring)
    const own = new SplitDriverQueue(memory, ring)
    own.add(new BufferList().addReadable(0x8000, 4).addWritable(0x8100, 4))
    own.publish()
    expect(device.serve(() => hello.subarray(0, 3))).toBe(1)
    const used = new UsedBuffer()
    expect(own.popUsed(used)).toBe(true)
    expect(used.writtenBytes).toBe(3)
  })

  it('say what is wrong with what they are asked, and with their peer', () => {
    const { driver, device } = pair({ size: 2, dataBytes: 64 })
    expect(() => driver.send([new Uint8Array(65)], 0)).toThrow(code('NO_MEMORY'))
    driver.send([hello], 4)
    const chain = device.take()!
    expect(() => device.complete(chain, new Uint8Array(5))).toThrow('a reply of 5 bytes does not fit 4')
    device.complete(chain, Uint8Array.of(1), { lies: 99 })
    expect(() => device.complete(chain)).toThrow('chain 0 is not held')
    expect(() => driver.receive()).toThrow('the device broke used-length-too-large')
  })
})

describe('RingChecker', () => {
  it('IMP-VQS-03, IMP-VQS-04: a chain comes back once, and no longer than it is', () => {
    const forge = (id: number, length: number) => {
      const { driver, checker } = pair()
      driver.send([hello], 4)
      checker.observe()
      driver.memory.writeU32(usedElementAt(driver.ring, 0), id)
      driver.memory.writeU32(usedElementAt(driver.ring, 0) + 4, length)
      driver.memory.writeU16(usedIdxAt(driver.ring), 1)
      return () => checker.observe()
    }
    expect(forge(0, 4)).not.toThrow()
    expect(forge(0, 5)).toThrow('used-length-too-large')
    expect(forge(1, 0)).toThrow('used-id-not-outstanding')
  })

  it('is in order where that was agreed', () => {
    for (const inOrder of [false, true]) {
      const { driver, device } = pair()
      const checker = new RingChecker(driver.memory, driver.ring, { inOrder })
      driver.send([hello], 1)
      driver.send([hello], 1)
      const [first, second] = device.takeAll()
      checker.observe()
      device.complete(second!)
      device.complete(first!)
      if (inOrder) expect(() => checker.observe()).toThrow('came back before')
      else checker.expectIdle()
    }
  })

  it('conservation: what never comes back is missed', () => {
    const { driver, device, checker } = pair()
    driver.send([hello], 1)
    device.take()
    expect(() => checker.expectIdle()).toThrow('chains 0 never came back')
  })

  it('VQS-NTF-DRV-07, VQS-NTF-DEV-01: a notification that was lost', () => {
    const { driver, device, checker } = pair()
    checker.expectNotified()
    driver.send([hello], 1)
    expect(() => checker.expectNotified()).toThrow('the device was not kicked')
    checker.kicked()
    checker.expectNotified()
    device.serve(() => Uint8Array.of(1))
    expect(() => checker.expectNotified()).toThrow('the driver was not interrupted')
    checker.interrupted()
    checker.expectNotified()
  })

  it('VQRST-DEV-02: the device writes what it was given, and after a reset nothing', () => {
    const { driver, device, checker } = pair()
    driver.send([hello], 4)
    checker.confined(() => device.serve(() => Uint8Array.of(1, 2, 3, 4)))
    driver.receive()
    expect(() => checker.confined(() => driver.memory.writeU8(0x2000, 1))).toThrow('the device wrote at 0x2000')
    driver.send([hello], 4)
    const chain = device.take()!
    expect(() => checker.confined(() => device.complete(chain, hello.subarray(0, 4)), { live: false })).toThrow(
      'after the reset',
    )
  })
})
