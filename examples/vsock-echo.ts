/** A guest sends a text to an echo service on the host, over vsock streams through two small rings. */
import { SharedMemoryTransport } from 'virtio-sdk'
import { VSOCK_HOST_CID, VsockDevice, VsockDriver } from 'virtio-sdk/virtio'

const host = new VsockDevice({ guestCid: 3, queueSize: 8 })
// The socket rejects when the guest resets it: that ends this listener, and nothing else.
host.listen(7, async (socket) => {
  for await (const bytes of socket) await socket.send(bytes)
  socket.close()
})

const guest = new VsockDriver(new SharedMemoryTransport(host))
const socket = await guest.connect(VSOCK_HOST_CID, 7).opened()
await socket.send(new TextEncoder().encode('a message through two rings'))
socket.end()
let answer = ''
for await (const bytes of socket) answer += new TextDecoder().decode(bytes)
console.log(`the host echoed: ${answer}`)
guest.close()
