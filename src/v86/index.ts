/** Devices of ours in guests of the emulator v86. Public as `virtio-sdk/v86`; `v86` itself is an optional peer. */
export { attachToV86, type V86Access, type V86Attachment, type V86AttachOptions } from './attach.ts'
