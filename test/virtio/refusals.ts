/** What tests of wrong arguments need: a live device, and what a refusal says. */
import type { VirtioError } from 'virtio-sdk'
import { SharedMemoryTransport } from 'virtio-sdk/transport'
import { startDriver } from 'virtio-sdk/virtio'
import { adder } from './adder.ts'

// biome-ignore lint/suspicious/noExplicitAny: what a program without types does
export type Anything = any

/** Code and message of what `run` throws or rejects with. */
export async function refusal(run: () => unknown): Promise<string> {
  try {
    await run()
  } catch (error) {
    const { name, code, message } = error as VirtioError
    return `${name} ${code}: ${message}`
  }
  return 'accepted'
}

export const refused = (message: string) => `VirtioError INVALID_OPTION: ${message}`

export function live() {
  const device = adder.create()
  const transport = new SharedMemoryTransport(device)
  return { device, transport, driver: startDriver(transport) }
}
