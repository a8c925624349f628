/** Files mapped into memory, by way of the C library. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { mapPieces, mapSharedFile } from '../../src/native/index.ts'

const PAGE = 4096
let folder = ''
let path = ''

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'shared-file-'))
  path = join(folder, 'memory')
  writeFileSync(path, Buffer.concat([1, 2, 3].map((fill) => Buffer.alloc(PAGE, fill))))
})
afterEach(() => rmSync(folder, { recursive: true }))

describe('a mapped file', () => {
  it('shows what is in the file, and the file what is written', async () => {
    const mapping = await mapSharedFile(path, PAGE, 2 * PAGE)
    const bytes = new Uint8Array(mapping.bytes)
    expect(bytes.length).toBe(2 * PAGE)
    expect([bytes[0], bytes[PAGE]]).toEqual([2, 3])
    bytes[7] = 77
    expect(readFileSync(path)[PAGE + 7]).toBe(77)
    mapping.unmap()
  })

  it('is the same memory for two mappings, also for atomic accesses', async () => {
    const [one, other] = [await mapSharedFile(path, 0, PAGE), await mapSharedFile(path, 0, PAGE)]
    Atomics.store(new Int32Array(one.bytes), 3, 0x1234_5678)
    expect(Atomics.load(new Int32Array(other.bytes), 3)).toBe(0x1234_5678)
    one.unmap()
    other.unmap()
  })

  it('shows pages in the order in which they are placed', async () => {
    const mapping = await mapPieces(path, 4 * PAGE)
    mapping.place(0, 2 * PAGE, PAGE)
    mapping.place(PAGE, 0, 2 * PAGE)
    const bytes = new Uint8Array(mapping.bytes)
    expect([0, 1, 2, 3].map((page) => bytes[page * PAGE])).toEqual([3, 1, 2, 0])
    bytes[5] = 55
    expect(readFileSync(path)[2 * PAGE + 5]).toBe(55)
    mapping.unmap()
  })

  it.each([
    ['a range behind the end of the file', () => mapSharedFile(path, 2 * PAGE, 2 * PAGE), /has 12288 bytes, 16384 are/],
    ['a file that is not there', () => mapSharedFile(join(folder, 'none'), 0, PAGE), /cannot be mapped: ENOENT/],
    ['half a page', () => mapSharedFile(path, 0, 100), /length: 100 is no multiple of 4096 bytes/],
    ['an odd offset', () => mapSharedFile(path, 100, PAGE), /offset: 100 is no multiple of 4096 bytes/],
    ['nothing', () => mapSharedFile(path, 0, 0), /4 KiB to 1 GiB, not 0 bytes/],
    ['more than a view has', () => mapPieces(path, 2 ** 31), /4 KiB to 1 GiB, not 2147483648 bytes/],
  ])('refuses %s', async (_, map, message) => {
    await expect(map()).rejects.toThrow(message)
  })

  it('refuses a piece behind its end', async () => {
    const mapping = await mapPieces(path, PAGE)
    expect(() => mapping.place(PAGE, 0, PAGE)).toThrow(/a piece ends behind the 4096 bytes mapped/)
    mapping.unmap()
  })
})
