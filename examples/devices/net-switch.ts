/** Two drivers talk through a switch, and a port of the program's own listens: a ping, its answer, and a command. */
import { SharedMemoryTransport } from 'virtio-sdk'
import { NetDevice, NetDriver, NetPort, NetSwitch } from 'virtio-sdk/virtio'

/** A frame of the local experimental type, with a text in it. */
function frame(to: string, from: string, text: string): Uint8Array {
  const addresses = `${to}:${from}`.split(':').map((byte) => Number.parseInt(byte, 16))
  return Uint8Array.from([...addresses, 0x88, 0xb5, ...new TextEncoder().encode(text)])
}

const [A, B] = ['02:00:00:00:00:0a', '02:00:00:00:00:0b'] as const
const lan = new NetSwitch()
const devices = [A, B].map((mac) => new NetDevice({ mac }))
for (const device of devices) lan.plug(device)

let overheard = 0
lan.plug(new NetPort(() => void overheard++))

const [a, b] = devices.map((device) => new NetDriver(new SharedMemoryTransport(device))) as [NetDriver, NetDriver]
const answer = new Promise<string>((resolve) => {
  // A frame is valid during the call only: what is kept is copied.
  a.onFrame = ({ bytes }) => resolve(new TextDecoder().decode(bytes.subarray(14)))
  b.onFrame = ({ bytes }) => void b.send(frame(A, B, `${new TextDecoder().decode(bytes.subarray(14))}, and back`))
})
a.send(frame(B, A, 'there'))
console.log(`${await answer}; the port heard ${overheard} frame, for B was unknown then`)

await b.control.setReceiveMode('promiscuous', true)
for (const driver of [a, b]) driver.close()
if ((await answer) !== 'there, and back' || overheard !== 1) throw new Error('the switch lost its way')
