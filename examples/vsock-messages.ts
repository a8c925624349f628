/** A guest asks the host for sums, a message at a time: a seqpacket socket keeps their boundaries. */
import { SharedMemoryTransport } from 'virtio-sdk'
import { VSOCK_HOST_CID, VsockDevice, VsockDriver } from 'virtio-sdk/virtio'

const host = new VsockDevice({ guestCid: 3, queueSize: 8 })
host.listenSeqpacket(9, async (socket) => {
  for await (const { bytes } of socket) {
    const numbers: number[] = JSON.parse(new TextDecoder().decode(bytes))
    await socket.send(new TextEncoder().encode(`${numbers.reduce((sum, one) => sum + one, 0)}`), { endOfRecord: true })
  }
  socket.end()
})

const guest = new VsockDriver(new SharedMemoryTransport(host))
const socket = await guest.connectSeqpacket(VSOCK_HOST_CID, 9).opened()
for (const question of ['[1, 2, 3]', '[40, 2]']) {
  await socket.send(new TextEncoder().encode(question))
  const answer = await socket.receive()
  console.log(`${question} is ${new TextDecoder().decode(answer?.bytes)}, ends a record: ${answer?.endOfRecord}`)
}
socket.end()
guest.close()
