/** Members of v86 that a machine with a clock of its own needs beside those of the adapter; as in v86 0.5.462. */

/** What v86 is made with here. */
export interface V86Options {
  readonly wasm_fn: (imports: WebAssemblyImports) => Promise<unknown>
  readonly autostart: false
  readonly memory_size: number
  readonly bios: { readonly buffer: ArrayBuffer }
  readonly vga_bios: { readonly buffer: ArrayBuffer }
  readonly bzimage: { readonly buffer: ArrayBuffer }
  readonly initrd: { readonly buffer: ArrayBuffer }
  readonly cmdline: string
  readonly disable_keyboard: boolean
  readonly disable_mouse: boolean
  readonly disable_speaker: boolean
}

export interface WebAssemblyImports {
  readonly env: Record<string, unknown>
}

/** A compiled block of guest code that v86 wants in its table. */
export interface TranslatedBlock {
  readonly index: number
  readonly start: number
  readonly flags: number
  readonly code: Uint8Array<ArrayBuffer>
}

export interface V86MachineCpu {
  readonly wasm_memory: { readonly buffer: ArrayBuffer }
  readonly in_hlt: ArrayLike<number>
  readonly jit_imports: object
  readonly wm: { readonly wasm_table: { set(index: number, value: unknown): void } }
  /** Runs for a millisecond of the clock, or until the processor halts; then the ms until the next timer. */
  main_loop(): number
  codegen_finalize: (index: number, start: number, flags: number, pointer: number, length: number) => void
  codegen_finalize_finished(index: number, start: number, flags: number): void
}

export interface V86Instance {
  readonly v86: { readonly cpu: V86MachineCpu; readonly constructor: { microtick: () => number } }
  add_listener(event: string, listener: (argument: number) => void): void
  serial0_send(text: string): void
  save_state(): Promise<ArrayBuffer>
  restore_state(state: ArrayBuffer): Promise<void>
  destroy(): Promise<void>
}

export type V86Constructor = new (options: V86Options) => V86Instance

/** Added to the index of a block: the table's first entries are v86's own. */
export const TABLE_OFFSET = 1024
/** Address in the WebAssembly memory of the instruction counter, a u32 that wraps. */
export const INSTRUCTION_COUNTER = 664
