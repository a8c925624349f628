/** Remapping pages instead of copying them. Public as `virtio-sdk/zero-copy`. */
export { FramePins } from './frame-pins.ts'
export { PageExchange, type PageSide } from './page-exchange.ts'
export { type TransferMode, TransferPolicy } from './transfer-policy.ts'
