/** A transport of your own: a few registers in an address space, as a driver reaches them, and the device behind them. */
import { defineDevice, GuestMemory, startDriver, u32le } from 'virtio-sdk'
import { BumpAllocator } from 'virtio-sdk/memory'
import type { DriverTransport, QueueAddresses } from 'virtio-sdk/virtio'

const echo = defineDevice({
  id: 0x1239,
  queues: [{ name: 'requests', size: 8 }],
  requests(queue) {
    for (const { reader, writer } of queue.drain(8)) writer.u32(reader.u32())
  },
})

const memory = GuestMemory.ofSize(1 << 20, 0x8000_0000)
const device = echo.create()
const { registers } = device
let line = false
// The device's side of the transport: its memory, and its interrupt line. It must not call the driver from inside.
registers.attach({ memory, raiseInterrupt: () => (line = true) })

// What the bus does with a write of the guest: the layout is the transport's, the meaning is that of the registers.
const REGISTER = {
  featuresSelect: 0,
  features: 4,
  status: 8,
  queueSelect: 12,
  queueSize: 16,
  area: 20,
  enable: 44,
  notify: 48,
}
const word = (value: number, at: number) => Math.floor(value / 2 ** (32 * at)) % 2 ** 32
function write(register: number, value: number): void {
  if (register === REGISTER.featuresSelect) registers.driverFeaturesSelect = registers.deviceFeaturesSelect = value
  else if (register === REGISTER.features) registers.writeDriverFeatures(value)
  else if (register === REGISTER.status) registers.writeStatus(value)
  else if (register === REGISTER.queueSelect) registers.queueSelect = value
  else if (register === REGISTER.queueSize) registers.queueSize = value
  else if (register === REGISTER.enable) registers.enableQueue()
  else if (register === REGISTER.notify) while (registers.notify(value) && registers.poll()) {}
  else {
    const place = (register - REGISTER.area) / 4
    registers.writeQueueAddress((place >> 1) as 0 | 1 | 2, (place & 1) as 0 | 1, value)
  }
}

class BusTransport implements DriverTransport<typeof echo.contract> {
  readonly contract = echo.contract
  readonly deviceId = registers.deviceId
  readonly memory = memory
  readonly configLengthBytes = 0
  readonly #heap = new BumpAllocator(0x8000_0000, 1 << 20)
  #handler: (() => void) | null = null

  readDeviceFeatures(window: number): number {
    write(REGISTER.featuresSelect, window)
    return registers.readDeviceFeatures()
  }
  writeDriverFeatures(window: number, value: number): void {
    write(REGISTER.featuresSelect, window)
    write(REGISTER.features, value)
  }
  readStatus = () => registers.readStatus()
  writeStatus = (status: number) => write(REGISTER.status, status)
  readConfigGeneration = () => registers.configGeneration
  readConfig = (offset: number, target: Uint8Array) => registers.readConfig(offset, target)
  writeConfig = (offset: number, source: Uint8Array) => registers.writeConfig(offset, source)
  queueSizeMax(queue: number): number {
    write(REGISTER.queueSelect, queue)
    return registers.queueSizeMax
  }
  setupQueue(queue: number, { size, descriptorArea, driverArea, deviceArea }: QueueAddresses): void {
    write(REGISTER.queueSelect, queue)
    write(REGISTER.queueSize, size)
    const words = [descriptorArea, driverArea, deviceArea].flatMap((area) => [word(area, 0), word(area, 1)])
    words.forEach((value, place) => void write(REGISTER.area + 4 * place, value))
  }
  enableQueue(queue: number): boolean {
    write(REGISTER.queueSelect, queue)
    write(REGISTER.enable, 1)
    return registers.queueEnabled
  }
  resetQueue = () => false
  notify(queue: number): void {
    write(REGISTER.notify, queue)
    if (line) this.#handler?.()
  }
  takeInterrupts(): number {
    line = false
    const reasons = registers.interruptStatus
    registers.acknowledgeInterrupts(reasons)
    return reasons
  }
  onInterrupt(handler: (() => void) | null): void {
    this.#handler = handler
  }
  allocate = (lengthBytes: number, align: number) => this.#heap.allocate(lengthBytes, align)
  free = () => {}
}

const driver = startDriver(new BusTransport())
const { bytes } = await driver.requests.call([u32le(2026)], { reply: 4 })
const answer = new DataView(bytes.buffer).getUint32(0, true)
console.log(`the device behind the bus said ${answer}`)
driver.close()
if (answer !== 2026) throw new Error('the bus lost a word')
