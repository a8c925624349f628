/** The part of buffer-layout 1.2 that is used here; the package ships no types. Never part of a public signature. */
declare module 'buffer-layout' {
  export interface Layout {
    readonly span: number
    readonly property: string
  }
  export interface Structure extends Layout {
    decode(bytes: Buffer, offset?: number): Record<string, unknown>
    encode(source: Readonly<Record<string, unknown>>, bytes: Buffer, offset?: number): number
    layoutFor(property: string): Layout
    offsetOf(property: string): number
  }
  export function u8(property: string): Layout
  export function u16(property: string): Layout
  export function u32(property: string): Layout
  export function nu64(property: string): Layout
  export function blob(length: number, property: string): Layout
  export function struct(fields: readonly Layout[], property?: string): Structure
}
