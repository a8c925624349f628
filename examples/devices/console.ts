/** A console at the terminal of this program, and a second port by which host and guest talk past it. */
import { SharedMemoryTransport } from 'virtio-sdk'
import { ConsoleDevice, ConsoleDriver } from 'virtio-sdk/virtio'

// The host: what the guest writes to port 0 appears here, and port 1 has a name by which the guest finds it.
const device = new ConsoleDevice({
  size: { columns: 80, rows: 25 },
  ports: [{}, { name: 'org.example.agent' }],
  onEmergency: (byte) => process.stdout.write(String.fromCharCode(byte)),
})
device.port.onData = (bytes) => void process.stdout.write(bytes)
// Where there is a terminal: process.stdin.on('data', (bytes) => device.port.write(bytes))
device.port.write(new TextEncoder().encode('uname\r'))

// The guest: ports come by messages of the device, each with what it is.
const agent = new Promise<string>((resolve) => {
  const driver = new ConsoleDriver(new SharedMemoryTransport(device), {
    onPort(port) {
      if (port.id === 0) {
        port.onData = (bytes) => void port.write(new TextEncoder().encode(`$ ${new TextDecoder().decode(bytes)}\n`))
        return
      }
      port.onData = (bytes) => resolve(`${port.name} got ${bytes.length} bytes`)
    },
  })
  device.ports.get(1)!.onGuestOpen = (open) => open && device.ports.get(1)!.write(Uint8Array.of(1, 2, 3))
  setTimeout(() => driver.ports.get(1)!.setOpen(true), 5)
  setTimeout(() => driver.emergencyWrite(0x2e), 10)
  setTimeout(() => driver.close(), 15)
})
const got = await agent
console.log(got)
if (got !== 'org.example.agent got 3 bytes') throw new Error('the agent heard something else')
