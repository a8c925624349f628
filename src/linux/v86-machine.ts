/**
 * A V86 with its own loop and its own clock: one instruction takes one nanosecond, and a halted processor's time passes until its next
 * timer. The host's clock is never read, and translated code comes in between two slices, so two runs are equal to the last byte.
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { GuestImages } from './guest-images.ts'
import { LinuxGuestError } from './linux-error.ts'
import { seededRandom, withTimeAndChance } from './time-and-chance.ts'
import {
  INSTRUCTION_COUNTER,
  TABLE_OFFSET,
  type TranslatedBlock,
  type V86Constructor,
  type V86Instance,
  type V86MachineCpu,
  type WebAssemblyImports,
} from './v86-options.ts'

/** What a machine is made of. */
export interface V86MachineOptions {
  readonly images: GuestImages
  /** Of the processor's random numbers. Default 1. */
  readonly seed?: number
  /** Default 96: the root file system is put at 64 MiB, and needs its room behind that. */
  readonly memoryMiB?: number
}

/** 1 January 2026: what the guest's clock shows when it is switched on. */
const POWER_ON_MS = 1_767_225_600_000
const NS_PER_MS = 1e6
const COMMAND_LINE = 'console=ttyS0 quiet nokaslr mitigations=off random.trust_cpu=on tsc=reliable panic=-1'

/** WebAssembly as far as it is used here: TypeScript declares it with the DOM only. */
interface WebAssemblyApi {
  instantiate(bytes: Uint8Array, imports: object): Promise<{ readonly instance: { readonly exports: unknown } }>
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new (module: object, imports: object) => { readonly exports: { readonly f: unknown } }
}

const { WebAssembly } = globalThis as unknown as { readonly WebAssembly: WebAssemblyApi }

export class V86Machine {
  readonly emulator: V86Instance
  /** Everything that the guest wrote to its serial port. */
  serialOutput = ''
  readonly #cpu: V86MachineCpu
  readonly #clock: MachineClock
  readonly #blocks: TranslatedBlock[] = []

  /** Switched on, but nothing has run: attach devices now. Throws `LinuxGuestError` PACKAGES when v86 is not installed. */
  static async create({ images, seed = 1, memoryMiB = 96 }: V86MachineOptions): Promise<V86Machine> {
    const { V86, wasm } = await loadV86()
    const clock = new MachineClock(seed)
    const emulator = await withTimeAndChance(clock, async () => {
      const made = new V86({
        wasm_fn: async (imports) => (await WebAssembly.instantiate(wasm, withClock(imports, clock))).instance.exports,
        autostart: false,
        memory_size: memoryMiB << 20,
        bios: { buffer: bufferOf(images.bios) },
        vga_bios: { buffer: bufferOf(images.vgaBios) },
        bzimage: { buffer: bufferOf(images.kernel) },
        initrd: { buffer: bufferOf(images.initrd) },
        cmdline: COMMAND_LINE,
        disable_keyboard: true,
        disable_mouse: true,
        disable_speaker: true,
      })
      await new Promise<void>((resolve) => made.add_listener('emulator-ready', () => resolve()))
      return made
    })
    return new V86Machine(emulator, clock)
  }

  private constructor(emulator: V86Instance, clock: MachineClock) {
    this.emulator = emulator
    this.#clock = clock
    const { cpu } = emulator.v86
    this.#cpu = cpu
    cpu.codegen_finalize = (index, start, flags, pointer, length) => {
      const code = new Uint8Array(cpu.wasm_memory.buffer, pointer >>> 0, length >>> 0).slice()
      this.#blocks.push({ index, start, flags, code })
    }
    clock.counter = () => new Uint32Array(cpu.wasm_memory.buffer, INSTRUCTION_COUNTER, 1)[0]!
    emulator.add_listener('serial0-output-byte', (byte) => {
      this.serialOutput += String.fromCharCode(byte)
    })
  }

  /** Instructions that the guest has run. */
  get instructions(): number {
    return this.#clock.instructions
  }

  /** The guest's time since it was switched on: a nanosecond each instruction, and the time that it was halted. */
  get nowNs(): number {
    return this.#clock.nowNs
  }

  get isHalted(): boolean {
    return this.#cpu.in_hlt[0] !== 0
  }

  /** Runs for about a millisecond of the guest's time. A halted guest's time passes, up to its next timer or `horizonNs`. */
  runSlice(horizonNs = Number.POSITIVE_INFINITY): void {
    const clock = this.#clock
    const idleMs = withTimeAndChance(clock, () => {
      this.emulator.v86.constructor.microtick = () => clock.tickMs
      return this.#cpu.main_loop()
    })
    for (const { index, start, flags, code } of this.#blocks.splice(0)) {
      const { exports } = new WebAssembly.Instance(new WebAssembly.Module(code), { e: this.#cpu.jit_imports })
      this.#cpu.wm.wasm_table.set(index + TABLE_OFFSET, exports.f)
      this.#cpu.codegen_finalize_finished(index, start, flags)
    }
    if (this.isHalted) clock.idle(Math.min(Math.max(idleMs, 0.01) * NS_PER_MS, Math.max(0, horizonNs - this.nowNs)))
  }

  type(text: string): void {
    this.emulator.serial0_send(text)
  }

  /** With the clock, so that a restored guest's time goes on. */
  async saveState(): Promise<{ readonly emulator: ArrayBuffer; readonly clock: ClockState }> {
    return { emulator: await this.emulator.save_state(), clock: this.#clock.saveState() }
  }

  async restoreState(state: { readonly emulator: ArrayBuffer; readonly clock: ClockState }): Promise<void> {
    this.#clock.restoreState(state.clock)
    await this.emulator.restore_state(state.emulator)
    this.#clock.follow()
  }
}

/** Plain data. */
export interface ClockState {
  readonly instructions: number
  readonly idleNs: number
}

class MachineClock {
  readonly random: () => number
  counter = () => 0
  #lastCount = 0
  #instructions = 0
  #idleNs = 0

  constructor(seed: number) {
    this.random = seededRandom(seed)
  }

  get instructions(): number {
    const count = this.counter()
    this.#instructions += (count - this.#lastCount) >>> 0
    this.#lastCount = count
    return this.#instructions
  }

  get nowNs(): number {
    return this.instructions + this.#idleNs
  }

  /** What v86 takes for `performance.now()`. */
  get tickMs(): number {
    return this.nowNs / NS_PER_MS
  }

  readonly nowMs = () => POWER_ON_MS + Math.floor(this.tickMs)

  idle(ns: number): void {
    this.#idleNs += Math.round(ns)
  }

  saveState(): ClockState {
    return { instructions: this.instructions, idleNs: this.#idleNs }
  }

  restoreState({ instructions, idleNs }: ClockState): void {
    this.#instructions = instructions
    this.#idleNs = idleNs
    this.follow()
  }

  /** The counter was set from outside. */
  follow(): void {
    this.#lastCount = this.counter()
  }
}

function withClock(imports: WebAssemblyImports, clock: MachineClock): object {
  return { ...imports, env: { ...imports.env, microtick: () => clock.tickMs, get_rand_int: () => clock.random() } }
}

async function loadV86(): Promise<{ V86: V86Constructor; wasm: Uint8Array }> {
  try {
    const path = createRequire(import.meta.url).resolve('v86')
    const { V86 } = (await import('v86')) as unknown as { V86: V86Constructor }
    return { V86, wasm: readFileSync(join(dirname(path), 'v86.wasm')) }
  } catch (error) {
    throw new LinuxGuestError('PACKAGES', 'the package v86 is not there: npm install v86@0.5.462', { cause: error })
  }
}

function bufferOf(bytes: Uint8Array): ArrayBuffer {
  return bytes.slice().buffer as ArrayBuffer
}
