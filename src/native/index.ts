/** Calls of the C library: memory that processes share. Node on Linux only, and loaded only when it is used. */
export { mapPieces, mapSharedFile, type SharedMapping } from './shared-file.ts'
