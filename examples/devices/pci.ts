/** A device as a PCI function with message-signalled interrupts: what an emulator plugs in, and a driver that finds it. */
import { defineDevice, GuestMemory, u32le } from 'virtio-sdk'
import { PciFunction, PciTransport } from 'virtio-sdk/transport'
import { connect } from 'virtio-sdk/virtio'

const doubler = defineDevice({
  id: 60,
  queues: [{ name: 'requests', size: 16 }],
  requests(queue) {
    for (const request of queue.drain(16)) request.writer.u32(request.reader.u32() * 2)
  },
})

const memory = GuestMemory.ofSize(1 << 20, 0x8000_0000)
const pci = new PciFunction(doubler.create(), {
  memory,
  interruptLine() {},
  // An emulator hands the store to its interrupt controller. Here the data is the vector, and a microtask is the controller.
  sendMessage: (_, vector) => queueMicrotask(() => transport?.takeMessage(vector)),
})

// The driver's side takes anything that reads and writes configuration space and BARs.
const message = (vector: number) => ({ address: 0xfee0_0000, data: vector })
const transport = PciTransport.probe(pci, { memory, contract: doubler.contract, message })
if (transport === null) throw new Error('the function is no virtio device')
const driver = await connect(transport)
const { bytes } = await driver.requests.call([u32le(21)], { reply: 4 })
const [answer] = new Uint32Array(bytes.buffer)
console.log(`device ${pci.readConfig(2, 2).toString(16)}, 2 * 21 = ${answer}`)
driver.close()
if (answer !== 42) throw new Error('the doubler cannot double')
