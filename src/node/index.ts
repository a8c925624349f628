/** What needs Node: files behind a disk. Public as `virtio-sdk/node`; no other room imports it, so no bundle for browsers has it. */
export { FileDisk, type FileDiskOptions } from './file-disk.ts'
