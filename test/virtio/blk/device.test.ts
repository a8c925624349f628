/** A blk device in front of a guest that does everything by hand. */
import { BlkDevice, MemoryDisk, startDriver } from 'virtio-sdk/virtio'
import { describe, expect, it } from 'vitest'
import { settled } from '../../transport/every-transport.ts'
import { header, pattern, RawGuest, SECTOR, SlowDisk, segments } from './raw-guest.ts'

const [IN, OUT, FLUSH, GET_ID, DISCARD, ZEROES, ERASE] = [0, 1, 4, 8, 11, 13, 14] as const
const [OK, IOERR, UNSUPP] = [0, 1, 2] as const

describe('configuration', () => {
  const make = (options: object) => () => new BlkDevice({ backend: new MemoryDisk(4096), ...options })

  it('BLK-INIT-DEV-01, BLK-INIT-DEV-02: FLUSH is offered, and CONFIG_WCE only with it', () => {
    const { features } = make({})().contract
    const offered = make({})().registers.offeredFeatures
    for (const name of ['flush', 'configWce', 'blkSize', 'discard', 'writeZeroes', 'secureErase'] as const) {
      expect(offered.has(features[name]), name).toBe(true)
    }
    for (const name of ['ro', 'mq', 'sizeMax', 'segMax', 'topology', 'geometry'] as const) {
      expect(offered.has(features[name]), name).toBe(false)
    }
    expect(make({ offer: ['configWce'] })).toThrow('with flush for configWce')
    expect(make({ offer: ['mq'] })).toThrow('without mq')
  })

  it('BLK-ZON-DEV-01, BLK-OP-DEV-16: no zones, and no lifetime, which nothing here measures', () => {
    const offered = make({})().registers.offeredFeatures
    expect([offered.has(17), offered.has(15)]).toEqual([false, false])
  })

  it('BLK-INIT-DEV-04: unused bytes are 0, and every field has its place', () => {
    const device = make({
      backend: new MemoryDisk(8192),
      blockSize: 4096,
      topology: { physicalBlockExp: 3, alignmentOffset: 1, minIoSize: 8, optIoSize: 64 },
      geometry: { cylinders: 2, heads: 3, sectors: 4 },
      sizeMax: 65536,
      segMax: 126,
      queues: 3,
      discard: { maxSectors: 5, maxSegments: 6, alignment: 7 },
      writeZeroes: { maxSectors: 8, maxSegments: 9 },
      secureErase: { maxSectors: 10, maxSegments: 11, alignment: 2 },
    })()
    const bytes = new Uint8Array(72)
    device.registers.readConfig(0, bytes)
    const view = new DataView(bytes.buffer)
    const u32 = (at: number) => view.getUint32(at, true)
    expect([u32(0), u32(4), u32(8), u32(12), view.getUint16(16, true), bytes[18], bytes[19], u32(20)]).toEqual([
      ...[16, 0, 65536, 126, 2, 3, 4, 4096],
    ])
    expect([
      bytes[24],
      bytes[25],
      view.getUint16(26, true),
      u32(28),
      bytes[32],
      bytes[33],
      view.getUint16(34, true),
    ]).toEqual([...[3, 1, 8, 64, 1, 0, 3]])
    expect([36, 40, 44, 48, 52, 56, 60, 64, 68].map(u32)).toEqual([5, 6, 7, 8, 9, 0, 10, 11, 2])
  })

  it('BLK-INIT-DEV-03: without FLUSH the cache is off from the start, and on again for the next driver', () => {
    const guest = new RawGuest({ features: ['configWce'] })
    expect([guest.driver.config.writeback, guest.device.isWriteback]).toEqual([0, false])
    guest.driver.close()
    expect(guest.device.device.config.values.writeback).toBe(1)
    expect([new RawGuest().device.isWriteback, new RawGuest({ features: ['flush'] }).device.isWriteback]).toEqual([
      true,
      true,
    ])
    expect(new RawGuest({ features: [] }).device.isWriteback).toBe(false)
  })

  it.each([
    ['an id that is too long', { id: 'x'.repeat(21) }, 'id must be at most 20'],
    ['a block of no size', { blockSize: 513 }, 'blockSize must be a power of two'],
    ['a back-end of half a sector', { backend: { sectors: 0.5, read() {} } }, 'backend.sectors'],
    [
      'fewer bytes than sectors',
      { backend: { sectors: 2, bytes: new Uint8Array(512), read() {} } },
      'backend.bytes must be 1024',
    ],
    [
      'a back-end that cannot write, said to',
      { backend: { sectors: 1, read() {} }, readOnly: false },
      'readOnly must be true',
    ],
    ['a back-end that cannot read', { backend: { sectors: 1 } }, 'with read()'],
  ])('refused: %s', (_, options, message) => {
    expect(make(options)).toThrow(message)
  })

  it('a disk is whole sectors', () => {
    expect(() => new MemoryDisk(513)).toThrow('a multiple of 512')
    expect(() => new MemoryDisk(new Uint8Array(3))).toThrow('a multiple of 512')
  })
})

describe('requests', () => {
  it('IMP-BLK-01: read and written, however the chain is cut, with the status in its last byte', () => {
    const guest = new RawGuest()
    for (const room of [[1025], [1024, 1], [1, 1000, 24], [512, 512, 1], [100, 924, 1]]) {
      expect(guest.send([header(IN, 2)], room)).toEqual({
        status: OK,
        bytes: pattern(16).subarray(1024, 2048),
        used: 1025,
      })
    }
    const data = pattern(2, 77)
    const whole = new Uint8Array([...header(OUT, 5), ...data])
    for (const cuts of [[], [1], [16], [17], [15, 500]]) {
      const parts = [...cuts, whole.length].map((end, i) => whole.subarray(cuts[i - 1] ?? 0, end))
      guest.ask(OUT, 5, new Uint8Array(1024))
      expect(guest.send(parts, [1])).toMatchObject({ status: OK, used: 1 })
      expect(guest.ask(IN, 5, undefined, 1024).bytes).toEqual(data)
    }
    expect(guest.violations).toEqual([])
  })

  it('the id, with zeros behind it', () => {
    const guest = new RawGuest({ id: 'disk-1' })
    const { status, bytes, used } = guest.ask(GET_ID, 0, undefined, 20)
    expect([status, String.fromCharCode(...bytes), used]).toEqual([OK, `disk-1${'\0'.repeat(14)}`, 21])
  })

  it('BLK-OP-DEV-09: zeroes read as zeros; discarded and erased sectors of memory do, too', () => {
    const guest = new RawGuest()
    for (const [type, sector] of [
      [ZEROES, 1],
      [DISCARD, 4],
      [ERASE, 8],
    ] as const) {
      expect(guest.ask(type, 0, segments([sector, 2], [sector + 2, 1])).status).toBe(OK)
      expect(guest.ask(IN, sector, undefined, 3 * SECTOR).bytes).toEqual(new Uint8Array(3 * SECTOR))
    }
    expect(guest.ask(IN, 0, undefined, SECTOR).bytes).toEqual(pattern(1))
    expect(guest.ask(IN, 11, undefined, SECTOR).bytes).toEqual(pattern(16).subarray(11 * SECTOR, 12 * SECTOR))
  })

  it.each([
    ['IMP-BLK-02, BLK-ZON-DEV-15: of no type, or of zones', 99, 0, 0, 0, UNSUPP, ''],
    ['BLK-ZON-DEV-15: a zone append', 15, 0, 512, 8, UNSUPP, ''],
    ['BLK-OP-DRV-02: read behind the end', IN, 15, 0, 1024, IOERR, 'BLK-OP-DRV-02'],
    ['BLK-OP-DRV-02: at 2^64', IN, 2 ** 63, 0, 512, IOERR, 'BLK-OP-DRV-02'],
    ['BLK-OP-DRV-02: written behind the end', OUT, 16, 512, 0, IOERR, 'BLK-OP-DRV-02'],
    ['BLK-OP-DRV-06: half a sector', IN, 0, 0, 256, IOERR, 'BLK-OP-DRV-06'],
    ['BLK-OP-DRV-06: half a sector, written', OUT, 0, 511, 0, IOERR, 'BLK-OP-DRV-06'],
    ['BLK-OP-DRV-04: a flush of a sector', FLUSH, 3, 0, 0, IOERR, 'BLK-OP-DRV-04'],
    ['BLK-OP-DRV-08: an id of another length', GET_ID, 0, 0, 21, IOERR, 'BLK-OP-DRV-08'],
    ['BLK-OP-DRV-07: no whole segment', DISCARD, 0, 15, 0, IOERR, 'BLK-OP-DRV-07'],
    ['BLK-OP-DRV-07: no segment', ERASE, 0, 0, 0, IOERR, 'BLK-OP-DRV-07'],
  ] as const)('refused: %s', (_, type, sector, sent, room, status, clause) => {
    const guest = new RawGuest()
    const answer = guest.ask(type, sector, new Uint8Array(sent), room)
    expect(answer).toEqual({ status, bytes: new Uint8Array(room), used: room + 1 })
    expect(guest.violations).toEqual(clause === '' ? [] : [clause])
    expect(guest.ask(IN, 0, undefined, SECTOR).status).toBe(OK)
  })

  it.each([
    ['BLK-OP-DEV-06, BLK-OP-DRV-14: unmap of a discard', DISCARD, [[0, 1, 1]], UNSUPP, 'BLK-OP-DRV-14'],
    [
      'BLK-OP-DEV-05: unknown flags',
      ZEROES,
      [
        [0, 1],
        [1, 1, 2],
      ],
      UNSUPP,
      'BLK-OP-DRV-14',
    ],
    ['BLK-OP-DEV-05: unknown flags of an erase', ERASE, [[0, 1, 4]], UNSUPP, 'BLK-OP-DRV-14'],
    [
      'BLK-OP-DRV-09: too many segments',
      DISCARD,
      [
        [0, 1],
        [1, 1],
        [2, 1],
      ],
      IOERR,
      'BLK-OP-DRV-09',
    ],
    [
      'BLK-OP-DRV-10: too many segments of an erase',
      ERASE,
      [
        [0, 1],
        [1, 1],
        [2, 1],
      ],
      IOERR,
      'BLK-OP-DRV-10',
    ],
    [
      'BLK-OP-DRV-11: too many segments of zeroes',
      ZEROES,
      [
        [0, 1],
        [1, 1],
        [2, 1],
      ],
      IOERR,
      'BLK-OP-DRV-11',
    ],
    ['a segment that is too long', ZEROES, [[0, 9]], IOERR, 'BLK-OP-DRV-11'],
    [
      'BLK-OP-DRV-02: the second is not on the disk',
      DISCARD,
      [
        [0, 1],
        [15, 2],
      ],
      IOERR,
      'BLK-OP-DRV-02',
    ],
  ] as const)('segments: %s, and none of them is obeyed', (_, type, list, status, clause) => {
    const limits = { maxSectors: 8, maxSegments: 2 }
    const guest = new RawGuest({ discard: limits, writeZeroes: limits, secureErase: limits })
    expect(guest.ask(type, 0, segments(...(list as unknown as [number, number][]))).status).toBe(status)
    expect(guest.violations).toEqual([clause])
    expect(guest.ask(IN, 0, undefined, 16 * SECTOR).bytes).toEqual(pattern(16))
  })

  it('BLK-OP-DEV-07: of a discard whole units go; of an erase nothing but whole units', () => {
    const guest = new RawGuest({ discard: { alignment: 4 }, secureErase: { alignment: 4 } })
    expect(guest.ask(DISCARD, 0, segments([3, 6])).status).toBe(OK)
    const left = pattern(16)
    left.fill(0, 4 * SECTOR, 8 * SECTOR)
    expect(guest.ask(IN, 0, undefined, 16 * SECTOR).bytes).toEqual(left)
    expect(guest.ask(DISCARD, 0, segments([1, 2])).status).toBe(OK)
    expect(guest.ask(ERASE, 0, segments([3, 4])).status).toBe(IOERR)
    expect(guest.ask(ERASE, 0, segments([4, 4])).status).toBe(OK)
    expect(guest.ask(IN, 0, undefined, 16 * SECTOR).bytes).toEqual(left)
  })

  it('BLK-OP-DEV-03, BLK-OP-DEV-04: what is read-only stays as it is', () => {
    const guest = new RawGuest({ readOnly: true })
    expect(guest.driver.featureSet.has(5)).toBe(true)
    expect(guest.ask(OUT, 0, new Uint8Array(SECTOR)).status).toBe(IOERR)
    for (const type of [DISCARD, ZEROES, ERASE]) expect(guest.ask(type, 0, segments([0, 1])).status).toBe(UNSUPP)
    expect(guest.ask(IN, 0, undefined, 16 * SECTOR).bytes).toEqual(pattern(16))
  })

  it('what was not negotiated is UNSUPP', () => {
    const guest = new RawGuest({ features: [] })
    for (const type of [DISCARD, ZEROES, ERASE]) expect(guest.ask(type, 0, segments([0, 1])).status).toBe(UNSUPP)
    expect(guest.ask(FLUSH, 0).status).toBe(UNSUPP)
  })

  it('IMP-BLK-03: seg_max and size_max count data, not header and status, and only when they were negotiated', () => {
    const limits = { segMax: 2, sizeMax: 1024 }
    const guest = new RawGuest(limits)
    expect(guest.send([header(IN, 0)], [1024, 1024, 1]).status).toBe(OK)
    expect(guest.send([header(IN, 0)], [1024, 1025]).status).toBe(OK)
    expect(guest.send([new Uint8Array([...header(OUT, 0), ...new Uint8Array(1024)])], [1]).status).toBe(OK)
    expect(guest.send([header(IN, 0)], [1025, 511, 1]).status).toBe(IOERR)
    expect(guest.send([header(IN, 0)], [512, 512, 512, 1]).status).toBe(IOERR)
    expect(guest.send([header(OUT, 0), ...[0, 1, 2].map(() => new Uint8Array(SECTOR))], [1]).status).toBe(IOERR)
    expect(guest.violations).toEqual(new Array(3).fill('IMP-BLK-03'))
    const older = new RawGuest({ ...limits, features: [] })
    expect(older.send([header(IN, 0)], [1536, 512, 512, 1]).status).toBe(OK)
  })

  it('IMP-BLK-04: without a header it is refused, and without room for a status it comes back as it was', () => {
    const guest = new RawGuest()
    expect(guest.send([new Uint8Array(15)], [513])).toMatchObject({ status: IOERR, used: 513 })
    expect(guest.send([], [1])).toMatchObject({ status: IOERR, used: 1 })
    expect(guest.send([header(IN, 0)], []).used).toBe(0)
    expect([guest.device.counters.malformed, guest.violations]).toEqual([1, new Array(3).fill('IMP-BLK-04')])
    expect(guest.ask(IN, 0, undefined, SECTOR).status).toBe(OK)
  })
})

describe('a back-end that takes its time', () => {
  it('answers in any order, each request with its own data', async () => {
    const backend = new SlowDisk(pattern(16))
    const guest = new RawGuest({ backend })
    const answers = [0, 1, 2].map((sector) => guest.ask(IN, sector, undefined, SECTOR))
    expect(backend.asked).toEqual(['read 0 512', 'read 1 512', 'read 2 512'])
    for (const index of [2, 0, 0]) {
      backend.answer(index)
      await settled()
    }
    expect(answers.map(({ bytes }) => bytes)).toEqual(
      [0, 1, 2].map((i) => pattern(16).subarray(i * SECTOR, (i + 1) * SECTOR)),
    )
  })

  it('a long request is done in pieces; zeroes are written where it has no way for them', async () => {
    const backend = new SlowDisk(2 ** 20)
    const guest = new RawGuest({ backend })
    const answer = guest.ask(ZEROES, 0, segments([1, 1025]))
    backend.answer()
    await settled()
    expect([backend.asked, answer.status]).toEqual([['write 513 262144'], -1])
    backend.answer()
    await settled()
    backend.answer()
    await settled()
    expect(answer.status).toBe(OK)
    const read = guest.ask(IN, 0, undefined, 600 * SECTOR)
    expect(backend.asked).toEqual(['read 0 262144'])
    backend.answer()
    await settled()
    expect(backend.asked).toEqual([`read 512 ${88 * SECTOR}`])
    backend.answer()
    await settled()
    expect([read.status, read.used]).toEqual([OK, 600 * SECTOR + 1])
  })

  it('IMP-BLK-01: what fails, at once or later, is IOERR in the last byte and a fault, and the rest goes on', async () => {
    const backend = new SlowDisk(pattern(16))
    const guest = new RawGuest({ backend })
    const [first, second] = [guest.ask(IN, 0, undefined, SECTOR), guest.ask(IN, 1, undefined, SECTOR)]
    backend.answer(0, new Error('the head crashed'))
    backend.answer()
    await settled()
    expect([first.status, first.bytes, second.status]).toEqual([IOERR, new Uint8Array(SECTOR), OK])
    expect(guest.faults.map(String)).toEqual(['Error: the head crashed'])
    const broken = new RawGuest({
      backend: {
        sectors: 8,
        read() {
          throw new Error('no disk')
        },
      },
    })
    expect(broken.ask(IN, 0, undefined, SECTOR).status).toBe(IOERR)
    expect([broken.faults.map(String), broken.device.registers.isLive]).toEqual([['Error: no disk'], true])
  })

  it('BLK-OP-DEV-13, BLK-OP-DRV-12: without a cache a write is done when it is flushed', async () => {
    const backend = new SlowDisk(pattern(16))
    const guest = new RawGuest({ backend })
    const cached = guest.ask(OUT, 0, new Uint8Array(SECTOR))
    backend.answer()
    await settled()
    expect([cached.status, backend.asked]).toEqual([OK, []])
    guest.driver.writeConfig('writeback', 0)
    const write = guest.ask(OUT, 0, new Uint8Array(SECTOR))
    backend.answer()
    await settled()
    expect([write.status, backend.asked]).toEqual([-1, ['flush']])
    backend.answer()
    await settled()
    expect(write.status).toBe(OK)
    const flush = guest.ask(FLUSH, 0)
    expect([flush.status, backend.asked]).toEqual([-1, ['flush']])
    backend.answer()
    await settled()
    expect(flush.status).toBe(OK)
  })

  it('has at most `depth` requests; the others wait', async () => {
    const backend = new SlowDisk(pattern(16))
    const guest = new RawGuest({ backend, depth: 2 })
    const answers = [0, 1, 2, 3].map((sector) => guest.ask(IN, sector, undefined, SECTOR))
    expect([backend.asked.length, guest.device.underWay]).toEqual([2, 2])
    for (let i = 0; i < 4; i++) {
      backend.answer()
      await settled()
    }
    expect(answers.map(({ status }) => status)).toEqual([OK, OK, OK, OK])
  })

  it('a write that a reset has left behind lands before anything new is done', async () => {
    const backend = new SlowDisk(pattern(16))
    const guest = new RawGuest({ backend })
    guest.ask(OUT, 0, new Uint8Array(SECTOR).fill(1))
    guest.ask(IN, 3, undefined, SECTOR)
    guest.driver.close()
    const driver = startDriver(guest.transport, { want: ['flush'] })
    const write = driver.queues[0]!.call([header(OUT, 0), new Uint8Array(SECTOR).fill(2)], { reply: 1 })
    await settled()
    expect(backend.asked).toEqual(['write 0 512', 'read 3 512'])
    backend.answer(1)
    await settled()
    expect(backend.asked).toEqual(['write 0 512'])
    backend.answer()
    await settled()
    expect(backend.asked).toEqual(['write 0 512'])
    backend.answer()
    expect([...(await write).bytes]).toEqual([OK])
    expect(backend.disk.bytes[0]).toBe(2)
  })
})

describe('capacity and queues', () => {
  it('BLK-OP-DEV-01, BLK-OP-DEV-02: another size is told, and holds from then on', async () => {
    const disk = new MemoryDisk(pattern(16))
    const guest = new RawGuest({ backend: disk })
    let told = 0
    guest.driver.events.on('config', () => told++)
    disk.resize(32)
    expect(guest.ask(IN, 16, undefined, SECTOR).status).toBe(IOERR)
    guest.device.capacityChanged()
    guest.device.capacityChanged()
    await settled()
    expect([guest.driver.config.capacity, told]).toEqual([32, 1])
    expect(guest.ask(IN, 16, undefined, SECTOR)).toMatchObject({ status: OK, bytes: new Uint8Array(SECTOR) })
    disk.resize(1)
    guest.device.capacityChanged()
    expect(guest.ask(IN, 1, undefined, SECTOR).status).toBe(IOERR)
    expect(guest.ask(IN, 0, undefined, SECTOR).bytes).toEqual(pattern(1))
  })

  it('every queue of MQ is served, and without MQ the first', () => {
    const guest = new RawGuest({ queues: 3, queuesUsed: 3 })
    for (const queue of [0, 1, 2]) expect(guest.ask(IN, 0, undefined, SECTOR, queue).status).toBe(OK)
    const older = new RawGuest({ queues: 3, queuesUsed: 3, features: [] })
    expect([0, 1, 2].map((queue) => older.ask(IN, 0, undefined, SECTOR, queue).status)).toEqual([OK, -1, -1])
  })
})
