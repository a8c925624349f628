/**
 * Debian's Linux with its own drivers against our devices: one boot, whose rings are watched from the first DRIVER_OK on. Skipped,
 * loudly, where the packages cannot be had; `LINUX_GUESTS=required` makes that a failure.
 */
import { createHash } from 'node:crypto'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { LinuxGuest } from '../../src/linux/index.ts'
import { imagesOrNull } from './images.ts'
import { WatchedRings } from './watched-rings.ts'

const images = imagesOrNull()
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

/** Bytes that are not alike anywhere. */
function payload(length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  let state = 1
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    bytes[i] = state >>> 16
  }
  return bytes
}

describe.skipIf(images === null)('a Linux guest', () => {
  const watched = new WatchedRings()
  let guest: LinuxGuest

  beforeAll(async () => {
    guest = await LinuxGuest.create({ images: images!, cid: 3, onAccess: watched.onAccess })
    watched.watch(guest)
    await guest.boot()
  }, 170_000)

  afterEach(async () => {
    await guest.until(() => guest.machine.isHalted, 'rest', 1000)
    watched.expectNotified()
    expect(watched.faults).toEqual([])
    for (const name of ['entropy', 'vsock', 'net', 'blk', 'console'] as const) {
      expect([name, guest.devices[name].registers.status]).toEqual([name, 15])
    }
  })

  it('finds the five devices, and drives each with its own driver', async () => {
    const { output } = await guest.run('for d in /sys/bus/virtio/devices/*; do basename $(readlink $d/driver); done')
    expect(output.trim().split('\n')).toEqual([
      'virtio_rng',
      'vmw_vsock_virtio_transport',
      'virtio_net',
      'virtio_blk',
      'virtio_console',
    ])
  })

  it('reads entropy of ours', async () => {
    const { output } = await guest.run(
      'cat /sys/class/misc/hw_random/rng_current; dd if=/dev/hwrng bs=512 count=4 2>/dev/null | wc -c',
    )
    expect(output).toContain('virtio_rng.0')
    expect(output).toContain('2048')
    expect(watched.outstanding('entropy', 0)).toBeLessThanOrEqual(1)
  })

  it('sends a MiB to the host over vsock, whole', async () => {
    const received: Uint8Array[] = []
    let ended = false
    const stop = guest.devices.vsock.listen(5000, async (socket) => {
      for await (const bytes of socket) received.push(bytes)
      socket.end()
      ended = true
    })
    const { output, status } = await guest.run(
      'dd if=/dev/urandom of=/tmp/f bs=64k count=16 2>/dev/null; sha256sum /tmp/f; vsock connect 2 5000 < /tmp/f',
    )
    expect([status, ended]).toEqual([0, true])
    expect(Buffer.concat(received).length).toBe(1 << 20)
    expect(output.split(' ')[0]).toBe(sha256(Buffer.concat(received)))
    stop()
  })

  it('gets a MiB from the host over vsock, whole', async () => {
    const bytes = payload(1 << 20)
    const result = guest.begin('vsock listen 6000 < /dev/null | sha256sum')
    const limit = guest.machine.nowNs + 200e6
    await guest.until(() => guest.machine.nowNs > limit, 'listener')
    const socket = guest.devices.vsock.connect(6000)
    void socket.send(bytes).then(() => socket.end())
    await guest.until(() => result() !== null, 'hash')
    expect(result()).toEqual({ status: 0, output: `${sha256(bytes)}  -\n` })
  })

  it('is refused a vsock port where nobody listens', async () => {
    const { output, status } = await guest.run('echo x | vsock connect 2 7777', 120_000)
    expect([status, output]).toEqual([1, 'vsock: connect failed, errno 104\n'])
  })

  it('writes its disk, and reads it back, with equal sha256 on both sides', async () => {
    const bytes = payload(4 << 20)
    guest.disk.bytes.set(bytes, 8 << 20)
    const read = await guest.run('dd if=/dev/vda bs=1M skip=8 count=4 2>/dev/null | sha256sum')
    expect(read.output.split(' ')[0]).toBe(sha256(bytes))
    const written = await guest.run(
      'dd if=/dev/urandom of=/tmp/g bs=1M count=4 2>/dev/null; sha256sum /tmp/g; dd if=/tmp/g of=/dev/vda bs=1M conv=fsync 2>/dev/null; rm /tmp/g /tmp/f',
    )
    expect(written.output.split(' ')[0]).toBe(sha256(guest.disk.bytes.subarray(0, 4 << 20)))
    expect(watched.outstanding('blk', 0)).toBe(0)
  })

  it('sees the disk grow', async () => {
    guest.disk.resize(65_536)
    guest.devices.blk.capacityChanged()
    await guest.run('sleep 0.1')
    expect((await guest.run('cat /sys/block/vda/size')).output).toBe('65536\n')
  })

  it('talks over the console both ways', async () => {
    const port = guest.devices.console.ports.get(0)!
    const said: number[] = []
    port.onData = (bytes) => void said.push(...bytes)
    await guest.run('echo from the guest > /dev/hvc0')
    await guest.until(() => said.length >= 16, 'console output')
    // The guest's terminal makes a line feed two characters.
    expect(String.fromCharCode(...said)).toBe('from the guest\r\n')
    const line = guest.begin('head -n 1 < /dev/hvc0')
    const limit = guest.machine.nowNs + 100e6
    await guest.until(() => guest.machine.nowNs > limit, 'reader')
    port.write(new TextEncoder().encode('from the host\n'))
    await guest.until(() => line() !== null, 'line')
    expect(line()).toEqual({ status: 0, output: 'from the host\n' })
  })

  it('unbinds and rebinds a driver', async () => {
    const { output, status } = await guest.run(
      'cd /sys/bus/virtio/drivers/virtio_rng; D=$(ls -d virtio[0-9]*); echo $D > unbind; echo $D > bind; cd /; dd if=/dev/hwrng bs=16 count=1 2>/dev/null | wc -c',
    )
    expect([status, output]).toEqual([0, '16\n'])
    const writes = watched.accesses.filter(
      ([name, { kind, offset }]) => name === 'entropy' && kind === 'write' && offset === 20,
    )
    expect(writes.slice(-5).map(([, { value }]) => value)).toEqual([0, 1, 3, 11, 15])
  })

  it('goes on from its saved state in another machine, twice alike, under another CID', async () => {
    const snapshot = await guest.save()
    const outcomes: string[] = []
    for (let run = 0; run < 2; run++) {
      const other = await LinuxGuest.restore({ images: images!, cid: 4, diskMiB: 32 }, snapshot)
      const got: Uint8Array[] = []
      other.devices.vsock.listen(5001, async (socket) => {
        for await (const bytes of socket) got.push(bytes)
        socket.end()
        outcomes.push(`from CID ${socket.connection.peerCid}: ${Buffer.concat(got)}`)
      })
      const { output } = await other.run(
        'dd if=/dev/vda bs=64k count=4 2>/dev/null | sha256sum; echo hello | vsock connect 2 5001',
      )
      outcomes.push(`${output} ${other.machine.instructions}`)
    }
    expect(outcomes[0]).toBe('from CID 4: hello\n')
    expect(outcomes.slice(2)).toEqual(outcomes.slice(0, 2))
    expect(watched.looks).toBeGreaterThan(1000)
  })
})
