/** Files behind disks. */
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FileDisk } from 'virtio-sdk/node'
import { SharedMemoryTransport } from 'virtio-sdk/transport'
import { BlkDevice, BlkDriver } from 'virtio-sdk/virtio'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { pattern, SECTOR } from '../virtio/blk/raw-guest.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'virtio-sdk-disk-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const code = (name: string) => expect.objectContaining({ code: name })

it('a file is read, written, flushed and made longer', async () => {
  const path = join(folder, 'disk.img')
  // What is no whole sector is not seen.
  writeFileSync(path, new Uint8Array([...pattern(8), 1, 2, 3]))
  const backend = await FileDisk.open(path)
  const device = new BlkDevice({ backend })
  const driver = new BlkDriver(new SharedMemoryTransport(device))
  expect([driver.capacity, driver.isReadOnly, driver.features.discard]).toEqual([8, false, false])
  expect(await driver.read(0, 8 * SECTOR)).toEqual(pattern(8))
  await Promise.all([driver.write(2, pattern(2, 9)), driver.writeZeroes(5, 2)])
  await driver.flush()
  const expected = pattern(8)
  expected.set(pattern(2, 9), 2 * SECTOR)
  expected.fill(0, 5 * SECTOR, 7 * SECTOR)
  expect(new Uint8Array(readFileSync(path).subarray(0, 8 * SECTOR))).toEqual(expected)
  await backend.resize(16)
  const grown = new Promise((resolve) => driver.events.on('capacity', resolve))
  device.capacityChanged()
  expect(await grown).toBe(16)
  expect(await driver.read(15, SECTOR)).toEqual(new Uint8Array(SECTOR))
  driver.close()
  await backend.close()
})

it('a file that is only read, and one that was cut meanwhile', async () => {
  const path = join(folder, 'read-only.img')
  writeFileSync(path, pattern(4))
  const backend = await FileDisk.open(path, { readOnly: true })
  const device = new BlkDevice({ backend })
  const faults: unknown[] = []
  device.device.events.on('fault', (error) => faults.push(error))
  const driver = new BlkDriver(new SharedMemoryTransport(device))
  expect(driver.isReadOnly).toBe(true)
  await expect(driver.write(0, pattern(1))).rejects.toThrow(code('BLK_READ_ONLY'))
  truncateSync(path, SECTOR)
  await expect(driver.read(1, SECTOR)).rejects.toThrow(code('BLK_IOERR'))
  expect(String(faults[0])).toContain('the file ends at 512')
  driver.close()
  await backend.close()
})

it('no such file', async () => {
  await expect(FileDisk.open(join(folder, 'nothing.img'))).rejects.toThrow(code('CANNOT_OPEN'))
})
