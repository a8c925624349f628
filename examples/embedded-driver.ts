/** A driver model inside somebody else's simulator, which owns the loop, the guest's memory, and the time that passes. */
import { GuestMemory, SharedMemoryTransport, startDriver } from 'virtio-sdk'
import { entropyDevice } from 'virtio-sdk/virtio'

const pending: { at: number; run: () => void }[] = []
let now = 0
const after = (delay: number, run: () => void) => pending.push({ at: now + delay, run })

const memory = GuestMemory.ofSize(1 << 20, 0x8000_0000)
const device = entropyDevice({ source: (target) => target.fill(7).length }).create()
const runDevice = (workLeft: boolean) => workLeft && after(100, () => runDevice(device.poll()))
const transport = new SharedMemoryTransport(device, {
  memory,
  doorbell: (queue) => after(700, () => runDevice(device.registers.notify(queue))), // the trap
  interrupt: () => after(400, () => transport.takeInterrupt()), // the injected interrupt
})

const driver = startDriver(transport)
const reply = driver.requests.call([], { reply: 16 })
for (let event = pending.shift(); event; event = pending.shift()) {
  now = event.at
  event.run()
}
const { bytes } = await reply
console.log(`${bytes.length} bytes at ${now} ns`)
driver.close()
if (now !== 1100 || bytes.some((byte) => byte !== 7)) throw new Error('the driver missed its interrupt')
