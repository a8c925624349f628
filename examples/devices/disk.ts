/** A disk in memory, its driver, and a storage of the program's own that answers later and in any order. */
import { SharedMemoryTransport } from 'virtio-sdk'
import { type BlkBackend, BlkDevice, BlkDriver, MemoryDisk } from 'virtio-sdk/virtio'

const memory = new MemoryDisk(1 << 20)
const device = new BlkDevice({ backend: memory, id: 'example' })
const disk = new BlkDriver(new SharedMemoryTransport(device))

await disk.write(8, new TextEncoder().encode('a sector'.padEnd(512)))
await disk.flush()
const text = new TextDecoder().decode(await disk.read(8, 512)).trim()
console.log(`${await disk.id()}: ${text}, ${disk.capacity} sectors`)

// Another size is told by an interrupt; what goes wrong is an error with a code.
memory.resize(4096)
const grown = new Promise<number>((resolve) => disk.events.on('capacity', resolve))
device.capacityChanged()
console.log(`now ${await grown} sectors`)
disk.close()

// A storage of your own: a function for each thing it can do, at once or `async`. This one is read-only, and sleeps.
const slow: BlkBackend = {
  sectors: 64,
  async read(sector, target) {
    await new Promise((resolve) => setTimeout(resolve, sector === 0 ? 5 : 1))
    if (sector > 32) throw new Error('a bad sector')
    target.fill(sector)
  },
}
const failing = new BlkDevice({ backend: slow })
failing.device.events.on('fault', (error) => console.log(`the storage: ${error}`))
const other = new BlkDriver(new SharedMemoryTransport(failing))
const order: number[] = []
await Promise.all([0, 1].map((sector) => other.read(sector, 512).then(([byte]) => order.push(byte!))))
const code = await other.read(33, 512).then(String, (error) => error.code)
other.close()
if (text !== 'a sector' || order.join() !== '1,0' || code !== 'BLK_IOERR') throw new Error('the disk lost its head')
