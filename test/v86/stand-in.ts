/**
 * What the adapter uses of v86, without an emulator: ports, configuration space and BARs as v86 0.5.462 has them, an interrupt
 * controller that only remembers levels, and a memory that can grow, which takes its views away.
 */
import type { AccessWidth, PciBus } from 'virtio-sdk/transport'
import type { V86PciDevice, V86PortRead, V86PortWrite } from '../../src/v86/emulator.ts'

interface Port {
  read: (V86PortRead | undefined)[]
  write: (V86PortWrite | undefined)[]
}

const IO_BAR = 0x10
/** Nobody's port. */
const EMPTY: Port = { read: [() => 0xff, () => 0xffff, () => -1], write: [() => {}, () => {}, () => {}] }

export class StandIn {
  readonly v86: { readonly cpu: StandIn }
  readonly ports = new Array<Port>(0x10000).fill(EMPTY)
  readonly memory_size = [0x40_0000]
  readonly mem8 = { byteOffset: 0x1000 }
  wasm_memory = { buffer: new ArrayBuffer(0x1000 + 0x40_0000) }
  /** Interrupts that are up. */
  readonly raised = new Set<number>()
  /** Told when one may have changed. */
  readonly onLevel: (() => void)[] = []
  readonly dirtied: (readonly [start: number, end: number])[] = []
  readonly grownBy: number[] = []
  readonly device_spaces: (Int32Array | undefined)[] = new Array(256)
  readonly #devices = new Map<number, { readonly size: number; readonly entries: Port[] }>()
  readonly isa_bridge_space8 = new Uint8Array(256)

  constructor() {
    this.v86 = { cpu: this }
    // As SeaBIOS leaves them.
    this.isa_bridge_space8.set([10, 10, 11, 11], 0x60)
  }

  readonly io = {
    register_read: (port: number, _: object, ...read: (V86PortRead | undefined)[]) => {
      const { read: before, write } = this.ports[port]!
      this.ports[port] = { read: before.map((handler, i) => read[i] ?? handler), write }
    },
    register_write: (port: number, _: object, ...write: (V86PortWrite | undefined)[]) => {
      const { read, write: before } = this.ports[port]!
      this.ports[port] = { read, write: before.map((handler, i) => write[i] ?? handler) }
    },
  }

  get devices(): { readonly pci: StandIn } {
    return { pci: this }
  }

  register_device({ pci_id, pci_space, pci_bars }: V86PciDevice): Int32Array {
    const space = new Int32Array(64)
    space.set(new Int32Array(Uint8Array.from(pci_space).buffer))
    this.device_spaces[pci_id] = space
    const { size } = pci_bars[0]!
    const base = space[IO_BAR / 4]! & 0xfffe
    this.#devices.set(pci_id, { size, entries: this.ports.slice(base, base + size) })
    return space
  }

  device_raise_irq(irq: number): void {
    this.raised.add(irq)
    for (const tell of this.onLevel) tell()
  }

  device_lower_irq(irq: number): void {
    this.raised.delete(irq)
    for (const tell of this.onLevel) tell()
  }

  jit_dirty_cache(start: number, end: number): void {
    this.dirtied.push([start, end])
  }

  zstd_create_ctx(bytes: number): number {
    this.grownBy.push(bytes)
    this.grow()
    return 1
  }

  zstd_free_ctx(): void {}

  /** As `memory.grow` does: the bytes are in another buffer, and the old one has none. */
  grow(): void {
    this.wasm_memory = { buffer: structuredClone(this.wasm_memory.buffer, { transfer: [this.wasm_memory.buffer] }) }
  }

  /** v86 passes signed 32-bit numbers, in and out. */
  portIn(port: number, width: AccessWidth): number {
    return this.ports[port]!.read[width >> 1]!(port)
  }

  portOut(port: number, width: AccessWidth, value: number): void {
    this.ports[port]!.write[width >> 1]!(width === 4 ? value | 0 : value)
  }

  /** The guest's driver reaches a slot's function by this. */
  bus(slot: number): PciBus {
    const id = slot << 3
    const bytes = () => new DataView(this.device_spaces[id]!.buffer)
    const base = () => this.device_spaces[id]![IO_BAR / 4]! & 0xfffe
    return {
      readConfig(offset, width) {
        if (width === 1) return bytes().getUint8(offset)
        return width === 2 ? bytes().getUint16(offset, true) : bytes().getUint32(offset, true)
      },
      writeConfig: (offset, width, value) => {
        if (offset === IO_BAR) this.#writeBar(id, value)
        else if (width === 4) bytes().setUint32(offset, value, true)
        else if (width === 2) bytes().setUint16(offset, value, true)
        else bytes().setUint8(offset, value)
      },
      readBar: (_, offset, width) => {
        const value = this.portIn(base() + offset, width)
        return width === 4 ? value >>> 0 : value
      },
      writeBar: (_, offset, width, value) => this.portOut(base() + offset, width, value),
    }
  }

  #writeBar(id: number, value: number): void {
    const space = this.device_spaces[id]!
    const { size, entries } = this.#devices.get(id)!
    const before = space[IO_BAR / 4]! & 0xfffe
    const after = (value | 3 | (size - 1)) === -1 ? ~(size - 1) & 0xfffe : value & 0xfffe
    for (let i = 0; i < size; i++) {
      this.ports[before + i] = EMPTY
      if (after + i < this.ports.length) this.ports[after + i] = entries[i]!
    }
    space[IO_BAR / 4] = (value | 3 | (size - 1)) === -1 ? ~(size - 1) | 1 : value | 1
  }
}
