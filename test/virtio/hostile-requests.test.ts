/**
 * Requests, messages and answers that are whole as chains, and wrong as what they are, at block, console and network devices and their drivers:
 * random ones, beside a model where there is one. Rings and registers are attacked elsewhere (test/testing/transport).
 * `HOSTILE_REQUESTS=100000 HOSTILE_SEED=7 npx vitest run --project unit test/virtio/hostile-requests.test.ts` looks longer.
 */
import { SharedMemoryTransport } from 'virtio-sdk/transport'
import {
  BlkDriver,
  blkContract,
  ConsoleDevice,
  ConsoleDriver,
  consoleContract,
  Device,
  type DeviceQueue,
  NetDriver,
  netContract,
  startDriver,
} from 'virtio-sdk/virtio'
import { BufferList } from 'virtio-sdk/virtqueue'
import { describe, expect, it } from 'vitest'
import { Random } from '../../src/internal/random.ts'
import { settled } from '../transport/every-transport.ts'
import { RawGuest as BlkGuest, header, pattern, SECTOR, SlowDisk, segments } from './blk/raw-guest.ts'
import { RawGuest as NetGuest } from './net/raw-guest.ts'

const CASES = Number(process.env.HOSTILE_REQUESTS ?? 1500)
const SEED = Number(process.env.HOSTILE_SEED ?? 20261201)
const MINUTES = { timeout: 3_600_000 }

/** A transport lets the event loop have its turn after so many steps, and so must who drives it. */
const breathe = () => new Promise((resolve) => setImmediate(resolve))

const randomBytes = (random: Random, length: number) => Uint8Array.from({ length }, () => random.between(0, 255))
/** A length of `total`, cut somewhere. */
function cut(random: Random, total: number): number[] {
  const first = random.between(0, total)
  return random.chance(0.5) ? [total] : [first, total - first].filter((length) => length > 0)
}

/** What a disk of 16 sectors answers, by the specification: the status, and the disk afterwards. */
function modelBlk(disk: Uint8Array, type: number, sector: number, data: Uint8Array, room: number): number {
  const isInside = (from: number, count: number) => from + count <= 16
  if (type === 0) return room % SECTOR === 0 && isInside(sector, room / SECTOR) ? 0 : 1
  if (type === 1) {
    if (data.length % SECTOR !== 0 || !isInside(sector, data.length / SECTOR)) return 1
    disk.set(data, sector * SECTOR)
    return 0
  }
  if (type === 4) return sector === 0 ? 0 : 1
  if (type === 8) return room === 20 ? 0 : 1
  if (type !== 11 && type !== 13 && type !== 14) return 2
  if (data.length === 0 || data.length % 16 !== 0 || data.length > 16 * 16) return 1
  const view = new DataView(data.buffer, data.byteOffset)
  const ranges: [number, number][] = []
  for (let at = 0; at < data.length; at += 16) {
    const from = Number(view.getBigUint64(at, true))
    const count = view.getUint32(at + 8, true)
    if ((view.getUint32(at + 12, true) & ~(type === 13 ? 1 : 0)) !== 0) return 2
    if (count > 2 ** 22 || !isInside(from, count)) return 1
    ranges.push([from, count])
  }
  for (const [from, count] of ranges) disk.fill(0, from * SECTOR, (from + count) * SECTOR)
  return 0
}

describe('devices', () => {
  it(`a disk answers ${CASES} random requests as the specification says, at once`, MINUTES, () => {
    const random = new Random(SEED, 1)
    const disk = pattern(16)
    let guest = new BlkGuest({ queueSize: 64 })
    const statuses = new Set<number>()
    for (let number = 0; number < CASES; number++) {
      // The guest allocates, and frees nothing.
      if (number % 100 === 99) {
        const content = guest.ask(0, 0, undefined, 16 * SECTOR).bytes
        expect([number, Buffer.compare(content, disk)]).toEqual([number, 0])
        guest.driver.close()
        guest = new BlkGuest({ queueSize: 64 })
        disk.set(pattern(16))
      }
      const type = random.pick([0, 0, 1, 1, 4, 8, 11, 13, 14, 15, 26, random.u32()])
      const sector = random.pick([0, 0, random.between(0, 17), random.u32() * 1024])
      const isRange = type === 11 || type === 13 || type === 14
      const data = isRange
        ? segments(
            ...Array.from({ length: random.between(0, 3) }, (): [number, number, number] => [
              random.pick([0, random.between(0, 16), random.u32()]),
              random.pick([0, 1, random.between(0, 17), random.u32()]),
              random.pick([0, 0, 0, 1, 2]),
            ]),
          ).subarray(0, random.chance(0.1) ? 15 : undefined)
        : randomBytes(random, type === 1 ? random.pick([0, SECTOR, 3 * SECTOR, random.between(0, 600)]) : 0)
      const room =
        type === 0
          ? random.pick([0, SECTOR, 4 * SECTOR, random.between(0, 600)])
          : type === 8
            ? random.pick([20, 21])
            : 0
      const sent = new Uint8Array([...header(type, sector), ...data])
      let at = 0
      const readable = cut(random, sent.length).map((length) => {
        at += length
        return sent.subarray(at - length, at)
      })
      const before = disk.slice()
      const answer = guest.send(readable, cut(random, room + 1))
      const status = modelBlk(disk, type, sector, data, room)
      const wanted =
        type === 0 && status === 0 ? before.subarray(sector * SECTOR, sector * SECTOR + room) : new Uint8Array(room)
      const shown = [number, type, sector, data.length, room]
      expect([...shown, answer.status, answer.used]).toEqual([...shown, status, room + 1])
      if (type !== 8 || status !== 0) expect([number, Buffer.compare(answer.bytes, wanted)]).toEqual([number, 0])
      statuses.add(status)
    }
    expect([...statuses].sort()).toEqual([0, 1, 2])
    expect(guest.device.registers.isLive).toBe(true)
  })

  it(
    'and when its storage answers late, fails, or the device is reset meanwhile, nothing is lost and nothing comes twice',
    MINUTES,
    async () => {
      const random = new Random(SEED, 2)
      for (let round = 0; round < CASES / 20; round++) {
        const backend = new SlowDisk(pattern(16))
        const guest = new BlkGuest({ backend, depth: random.between(1, 8) })
        const answers = []
        for (let step = 0; step < 20; step++) {
          const type = random.pick([0, 1, 4, 11, 13, 99])
          const data = type === 1 ? SECTOR : 0
          const asked = type === 11 || type === 13 ? segments([random.between(0, 12), 2]) : new Uint8Array(data)
          answers.push(guest.ask(type, type === 4 ? 0 : random.between(0, 15), asked, type === 0 ? SECTOR : 0))
          while (backend.calls.length > 0 && random.chance(0.5)) {
            backend.answer(
              random.between(0, backend.calls.length - 1),
              random.chance(0.1) ? new Error('bad sector') : undefined,
            )
          }
          if (step % 10 === 9) await settled()
        }
        const isReset = random.chance(0.3)
        if (isReset) guest.driver.close()
        for (let turn = 0; turn < 100 && (backend.calls.length > 0 || guest.device.underWay > 0); turn++) {
          while (backend.calls.length > 0) backend.answer(random.between(0, backend.calls.length - 1))
          await settled(4)
        }
        expect([round, guest.device.underWay, guest.device.registers.isLive]).toEqual([round, 0, !isReset])
        if (!isReset) expect(answers.filter(({ status }) => ![0, 1, 2].includes(status))).toEqual([])
      }
    },
  )

  it(`a console hears ${CASES} random messages and bytes, and goes on`, MINUTES, async () => {
    const random = new Random(SEED, 3)
    const device = new ConsoleDevice({ ports: [{}, { name: 'a' }, {}], maxPorts: 4, onEmergency: () => {} })
    let bytes = 0
    for (const port of device.ports.values()) port.onData = (data) => (bytes += data.length)
    const transport = new SharedMemoryTransport(device)
    const { queues } = device.contract
    const driver = startDriver(transport, {
      contract: consoleContract(),
      want: ['multiport', 'emergWrite'],
      queues: () => queues,
    })
    const address = transport.allocate(1024, 16)
    for (let number = 0; number < CASES; number++) {
      const message = random.chance(0.7)
        ? Uint8Array.of(random.between(0, 5), 0, 0, 0, random.between(0, 9), 0, random.between(0, 2), 0)
        : randomBytes(random, random.between(0, 40))
      transport.memory.write(address, message)
      const queue = driver.queues[random.chance(0.6) ? 3 : random.between(0, queues.length - 1)]!
      const isReceive = queue.index % 2 === 0
      const buffers = new BufferList()
      if (isReceive) buffers.addWritable(address, random.between(0, 300))
      else buffers.addReadable(address, message.length)
      if (!queue.post(buffers, () => {})) driver.poll()
      if (random.chance(0.1)) device.ports.get(random.between(0, 3))?.write(randomBytes(random, 100))
      if (random.chance(0.02)) device.ports.get(random.between(1, 3))?.remove()
      if (random.chance(0.02) && device.ports.size < 4) device.addPort()
      if (!device.registers.isLive) break
      if (number % 100 === 0) await breathe()
      driver.poll()
    }
    expect([device.registers.isLive, bytes > 0]).toEqual([true, true])
  })

  it(`a network device takes ${CASES} random frames and commands, and goes on`, MINUTES, async () => {
    const random = new Random(SEED, 4)
    let guest = new NetGuest()
    for (let number = 0; number < CASES; number++) {
      if (number % 200 === 199) guest = new NetGuest({ before: guest })
      if (number % 100 === 0) await breathe()
      if (random.chance(0.3)) {
        const [answer] = await guest.command([
          random.between(0, 6),
          random.between(0, 4),
          ...randomBytes(random, random.between(0, 30)),
        ])
        expect([0, 1]).toContain(answer)
      } else guest.sendBytes(randomBytes(random, random.between(1, 100)), cut(random, 20))
      if (random.chance(0.2)) guest.post([random.between(12, 80)])
      if (random.chance(0.2)) guest.receive()
    }
    expect(guest.device.registers.isLive).toBe(true)
    expect(guest.device.counters.refused).toBeGreaterThan(0)
  })
})

/** A device of this contract whose queues are served by `serve`. */
function odd<
  C extends ReturnType<typeof consoleContract> | ReturnType<typeof netContract> | ReturnType<typeof blkContract>,
>(contract: C, config: object, serve: (queue: DeviceQueue) => void) {
  // biome-ignore lint/suspicious/noExplicitAny: one of three contracts
  return new Device<any>(
    contract,
    contract.queues.map(() => serve),
    {},
    { config, offer: Object.keys(contract.features).filter((name) => name !== 'ro') },
  )
}

describe('drivers', () => {
  it(
    `a blk driver gets ${CASES} random answers: each of its requests ends once, with its data or with an error of its own`,
    MINUTES,
    async () => {
      const random = new Random(SEED, 5)
      const outcomes = new Map<string, number>()
      for (let round = 0; round < CASES / 50; round++) {
        const device = odd(
          blkContract(),
          { capacity: 64, segMax: 4, sizeMax: 4096, maxDiscardSectors: 9, maxDiscardSeg: 2 },
          (queue) => {
            const deferred = [...queue.deferred]
            for (const request of deferred) if (random.chance(0.5)) request.complete()
            for (const request of queue.drain(8)) {
              const { writer } = request
              if (random.chance(0.8))
                writer.bytes(
                  randomBytes(random, random.chance(0.7) ? writer.remaining - 1 : random.between(0, writer.remaining)),
                )
              if (random.chance(0.8)) writer.u8(random.pick([0, 0, 0, 1, 2, 3, 255]))
              if (random.chance(0.2)) request.defer()
            }
          },
        )
        const driver = new BlkDriver(new SharedMemoryTransport(device), { queueSize: 16 })
        const calls = Array.from({ length: 50 }, () =>
          random
            .pick([
              () => driver.read(random.between(0, 60), SECTOR),
              () => driver.write(random.between(0, 60), new Uint8Array(SECTOR)),
              () => driver.flush(),
              () => driver.id(),
              () => driver.discard(0, 64),
            ])()
            .then(
              () => 'done',
              (error) => error.code as string,
            ),
        )
        for (let turn = 0; turn < 12; turn++) {
          device.queues.requestq1!.wake()
          await settled(8)
        }
        driver.close()
        for (const outcome of await Promise.all(calls)) outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
      }
      const known = ['BLK_IOERR', 'BLK_SHORT', 'BLK_STATUS', 'BLK_UNSUPP', 'DRIVER_CLOSED', 'done']
      expect([...outcomes.keys()].filter((code) => !known.includes(code))).toEqual([])
      expect(outcomes.get('done')).toBeGreaterThan(CASES / 20)
    },
  )

  it(`a console driver hears ${CASES} random messages, and goes on`, MINUTES, async () => {
    const random = new Random(SEED, 6)
    const device = odd(consoleContract(4), { maxNrPorts: 4 }, (queue) => {
      if (queue.index % 2 === 1) {
        if (random.chance(0.7)) for (const _ of queue.drain(8));
        return
      }
      for (const { writer } of queue.drain(4)) {
        const message = Uint8Array.of(random.between(0, 5), 0, 0, 0, random.between(0, 9), 0, random.between(0, 2), 0)
        writer.bytes(random.chance(0.8) ? message : randomBytes(random, random.between(0, 600)))
        if (random.chance(0.5)) writer.bytes(randomBytes(random, random.between(0, 300)))
      }
    })
    const driver = new ConsoleDriver(new SharedMemoryTransport(device), { queueSize: 8, rxBufferBytes: 100 })
    for (let number = 0; number < CASES / 4; number++) {
      for (const queue of Object.values(device.queues) as DeviceQueue[]) if (random.chance(0.5)) queue.wake()
      if (random.chance(0.1)) for (const port of driver.ports.values()) port.write(Uint8Array.of(1)).catch(() => {})
      await settled(2)
      if (number % 200 === 0) await breathe()
    }
    expect([driver.driver.error, driver.malformedMessages > 10]).toEqual([null, true])
    driver.close()
  })

  it(`a net driver gets ${CASES} random frames, and hands on none that is none`, MINUTES, async () => {
    const random = new Random(SEED, 7)
    const device = odd(
      netContract(),
      { mac: '02:00:00:00:00:01', status: 1, mtu: 1500, maxVirtqueuePairs: 1 },
      (queue) => {
        if (queue.index === 1) for (const _ of queue.drain(8));
        else
          for (const { writer } of queue.drain(2)) {
            const bytes = randomBytes(random, random.pick([0, 5, 12, 26, 60, 200]))
            // Every second has a header that may pass.
            if (random.chance(0.5)) bytes.fill(0, 0, 12)
            if (bytes.length > 10) bytes[10] = random.pick([0, 1, 1, 2, 9])
            writer.bytes(bytes)
          }
      },
    )
    let frames = 0
    const driver = new NetDriver(new SharedMemoryTransport(device), {
      queueSize: 16,
      onFrame: ({ bytes, lengthBytes }) => {
        frames++
        expect(bytes.length).toBe(lengthBytes)
        expect(lengthBytes).toBeGreaterThanOrEqual(14)
      },
    })
    for (let number = 0; number < CASES / 2; number++) {
      device.queues.receiveq1!.wake()
      if (random.chance(0.1)) driver.send(new Uint8Array(60))
      await settled(2)
      if (number % 200 === 0) await breathe()
    }
    expect([driver.driver.error, frames > CASES / 20, driver.malformedFrames > CASES / 20]).toEqual([null, true, true])
    driver.close()
  })
})
