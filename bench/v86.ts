/**
 * The split virtqueue of v86, a well-known emulator in JavaScript, as the rival: its real code, from its npm package, over its
 * real guest memory. An instance without BIOS that never starts is enough to get at both.
 *
 * The published build formats five hex strings a descriptor for log lines that are compiled out. So that nobody takes that for
 * the cost of a virtqueue, a second queue runs the same code without those calls, over the same rings.
 */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { RingLocation } from '../src/virtqueue/index.ts'

/** What v86's `VirtQueue` offers and our benchmark uses; the package has no types for it. */
export interface V86Queue {
  desc_addr: number
  avail_addr: number
  used_addr: number
  avail_last_idx: number
  set_size(size: number): void
  enable(): void
  has_request(): boolean
  pop_request(): V86Chain
  push_reply(chain: V86Chain): void
  flush_replies(): void
  notify_me_after(requests: number): void
  reset(): void
}

/** Words are signed. */
export interface V86Buffer {
  addr_low: number
  len: number
}

export interface V86Chain {
  head_idx: number
  read_buffers: V86Buffer[]
  write_buffers: V86Buffer[]
  length_readable: number
  length_writable: number
  length_written: number
}

export interface V86Machine {
  readonly queue: V86Queue
  /** The same without the arguments of its log lines; null when this release of v86 has none that we recognise. */
  readonly silentQueue: V86Queue | null
  /** Guest RAM from address 0. */
  readonly ram: Uint8Array
  close(): Promise<void>
}

const INDIRECT_DESC = 28
const LOG_ARGUMENTS = /(?:\w+\(h\.(?:addr_high|addr_low|len|flags|next),\s*[48]\);){5}/

/** Both queues are enabled at `location`. */
export async function startV86(memoryBytes: number, location: RingLocation): Promise<V86Machine> {
  const library = fileURLToPath(import.meta.resolve('v86'))
  const wasm = library.replace('libv86.mjs', 'v86.wasm')
  const { V86 } = await import('v86')
  const machine = await start(V86, wasm, memoryBytes)
  const queue: V86Queue = machine.virtio.queues[0]
  place(queue, location)

  const source = await readFile(library, 'utf8')
  const silentSource = source.replace(LOG_ARGUMENTS, '')
  const closing = [machine.emulator]
  let silentQueue: V86Queue | null = null
  if (silentSource.length < source.length) {
    const url = `data:text/javascript;base64,${Buffer.from(silentSource).toString('base64')}`
    const silent = await start((await import(url)).V86, wasm, memoryBytes)
    closing.push(silent.emulator)
    // The code of the second machine, the memory and the features of the first.
    silentQueue = Object.assign(silent.virtio.queues[0], { cpu: machine.cpu, virtio: machine.virtio }) as V86Queue
    place(silentQueue, location)
  }
  const close = async (): Promise<void> => {
    for (const emulator of closing) await emulator.destroy()
  }
  return { queue, silentQueue, ram: machine.cpu.mem8, close }
}

// biome-ignore lint/suspicious/noExplicitAny: internals of the emulator, which has types for its outside only
async function start(V86: any, wasm: string, memoryBytes: number): Promise<{ emulator: any; cpu: any; virtio: any }> {
  const emulator = new V86({
    wasm_path: wasm,
    autostart: false,
    virtio_console: true,
    memory_size: memoryBytes,
    vga_memory_size: 1 << 20,
    disable_keyboard: true,
    disable_mouse: true,
    disable_speaker: true,
  })
  await new Promise<void>((resolve) => emulator.add_listener('emulator-loaded', () => resolve()))
  const { cpu } = emulator.v86
  const { virtio } = cpu.devices.virtio_console
  virtio.driver_feature[0] |= 1 << INDIRECT_DESC
  return { emulator, cpu, virtio }
}

function place(queue: V86Queue, { size, descriptorArea, driverArea, deviceArea }: RingLocation): void {
  queue.set_size(size)
  queue.desc_addr = descriptorArea
  queue.avail_addr = driverArea
  queue.used_addr = deviceArea
  queue.enable()
}
