/** How the test of options calls the adapter. */
import { attachToV86 } from 'virtio-sdk/v86'
import { entropyDevice } from 'virtio-sdk/virtio'
import { StandIn } from './stand-in.ts'

export const walk = {
  call: (option: object) => attachToV86(new StandIn(), entropyDevice({ source: () => 1 }).create(), option),
}
