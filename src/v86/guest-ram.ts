/**
 * The guest's RAM as a `GuestMemory`, over the memory of v86's WebAssembly instance. That memory grows while the guest runs, and each
 * time every view of it is detached: it is grown once before any view is made, and looked after all the same at every access.
 */
import { GuestMemory } from '../memory/index.ts'
import type { V86Cpu } from './emulator.ts'

/** What v86 was seen to grow by in a boot of Linux, and more. */
const GROWN_AHEAD_BYTES = 64 << 20
/** Where v86 has the memory of its graphics adapter instead of RAM. */
const VGA = { start: 0xa_0000, end: 0xc_0000 } as const

/** One for each emulator: all devices of a guest share it. */
const known = new WeakMap<V86Cpu, GuestRam>()
const knownLinear = new WeakMap<V86Cpu, GuestRam>()

/** A guest's RAM, whose buffer may be taken away at any time but within an access of the guest. */
export class GuestRam {
  readonly memory: GuestMemory
  readonly #cpu: V86Cpu

  static of(cpu: V86Cpu): GuestRam {
    const before = known.get(cpu)
    if (before !== undefined) return before
    const made = new GuestRam(cpu, false)
    known.set(cpu, made)
    return made
  }

  /**
   * As one region, in which an offset is an address: what stands behind the graphics adapter's addresses is RAM that nobody else sees. For a
   * broker, whose extents are offsets.
   */
  static linear(cpu: V86Cpu): GuestRam {
    const before = knownLinear.get(cpu)
    if (before !== undefined) return before
    const made = new GuestRam(cpu, true)
    knownLinear.set(cpu, made)
    return made
  }

  private constructor(cpu: V86Cpu, isLinear: boolean) {
    this.#cpu = cpu
    // The allocator keeps what it is given back, so the next growth is far away.
    cpu.zstd_free_ctx(cpu.zstd_create_ctx(GROWN_AHEAD_BYTES))
    const { buffer } = cpu.wasm_memory
    const { byteOffset } = cpu.mem8
    const size = cpu.memory_size[0]!
    const region = (base: number, end: number) => ({
      base,
      size: end - base,
      buffer,
      byteOffset: byteOffset + base,
    })
    this.memory = new GuestMemory(isLinear ? [region(0, size)] : [region(0, VGA.start), region(VGA.end, size)])
  }

  /** To be called before the memory is used: takes v86's current buffer where the old one was taken away. */
  follow(): void {
    if (!this.memory.isDetached) return
    const { buffer } = this.#cpu.wasm_memory
    const { byteOffset } = this.#cpu.mem8
    for (const { base } of [...this.memory.regions]) this.memory.rebind(base, buffer, byteOffset + base)
  }
}
