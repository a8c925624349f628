/** An entropy device with a seeded source, and a driver that asks it for bytes. */
import { connect, SharedMemoryTransport } from 'virtio-sdk'
import { entropyDevice } from 'virtio-sdk/virtio'

const source = (target: Uint8Array) => crypto.getRandomValues(target).length
const transport = new SharedMemoryTransport(entropyDevice({ source }).create())
const driver = await connect(transport)
const { bytes } = await driver.requests.call([], { reply: 16 })
console.log(`${bytes.length} random bytes: ${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}`)
driver.close()
