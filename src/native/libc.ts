/**
 * The C library, as much of it as we call: the one place that declares it. koffi, an optional dependency, makes the calls; it is
 * loaded with the first use of it.
 */
import { VirtioError } from '../internal/error.ts'

export const PROT_READ = 1
export const PROT_WRITE = 2
export const MAP_SHARED = 0x01
export const MAP_PRIVATE = 0x02
export const MAP_FIXED = 0x10
export const MAP_ANONYMOUS = 0x20

/** Addresses are numbers: Linux gives a process none above 2^47. */
export interface Libc {
  /** Returns the address; above 2^47 it failed, and `errno` says why. */
  mmap(address: number, length: number, protection: number, flags: number, fd: number, offset: number): number | bigint
  munmap(address: number, length: number): number
  /** What the last call that failed left. */
  errno(): number
  /** The bytes at an address that is mapped, without a copy. At most 1 GiB: above 4 GiB koffi ends the process. */
  view(address: number, length: number): ArrayBuffer
}

let loading: Promise<Libc> | null = null

/** Throws `VirtioError` NO_NATIVE_CALLS where koffi is not installed, or the system is not Linux. */
export function loadLibc(): Promise<Libc> {
  loading ??= load()
  return loading
}

async function load(): Promise<Libc> {
  let koffi: Pick<typeof import('koffi'), 'errno' | 'load' | 'view'>
  try {
    koffi = (await import('koffi')).default
  } catch {
    throw new VirtioError(
      'NO_NATIVE_CALLS',
      'sharing memory with another process needs the package koffi, which is not installed: npm install koffi@3.3.4',
    )
  }
  try {
    const library = koffi.load('libc.so.6')
    // Addresses as integers: koffi ends the process on a NULL, and MAP_FAILED is no pointer.
    const mmap = library.func(
      'uintptr_t mmap(uintptr_t address, size_t length, int protection, int flags, int fd, int64_t offset)',
    )
    const munmap = library.func('int munmap(uintptr_t address, size_t length)')
    return {
      mmap: (...parameters) => mmap(...parameters),
      munmap: (address, length) => munmap(address, length),
      errno: () => koffi.errno(),
      view: (address, length) => koffi.view(address as never, length),
    }
  } catch (error) {
    throw new VirtioError('NO_NATIVE_CALLS', `the C library cannot be called here: ${(error as Error).message}`)
  }
}
