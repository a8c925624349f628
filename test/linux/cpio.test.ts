/** Archives as the kernel reads them. */
import { execFileSync, spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { chooseKernel, cpioArchive } from '../../src/linux/index.ts'

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

describe('cpioArchive', () => {
  it('writes heads of 110 characters, names and contents at multiples of four, and a trailer', () => {
    const archive = cpioArchive([{ path: 'a/b', bytes: Uint8Array.of(1, 2, 3, 4, 5) }])
    expect(archive.length % 4).toBe(0)
    expect(text(archive.subarray(0, 110))).toBe(
      `070701${['1', '81ed', '0', '0', '1', '0', '5', '0', '0', '0', '0', '4', '0'].map((x) => x.padStart(8, '0')).join('')}`,
    )
    expect(text(archive.subarray(110, 114))).toBe('a/b\0')
    expect([...archive.subarray(116, 124)]).toEqual([1, 2, 3, 4, 5, 0, 0, 0])
    expect(text(archive)).toContain('TRAILER!!!\0')
  })

  it.skipIf(spawnSync('busybox', ['cpio', '--help']).status !== 0)('is listed by another reader', () => {
    const archive = cpioArchive([
      { path: 'bin', mode: 0o040755 },
      { path: 'bin/x', bytes: new Uint8Array(1000) },
    ])
    expect(execFileSync('busybox', ['cpio', '-t'], { input: archive, encoding: 'utf8' })).toBe('bin\nbin/x\n')
  })
})

describe('chooseKernel', () => {
  const line = (abi: number) => `linux-image-6.1.0-${abi}-686 - Linux 6.1 for older PCs (signed)`

  it('takes the kernel that figures were taken with, and says nothing', () => {
    const told: string[] = []
    expect(chooseKernel([line(57), line(50), ''].join('\n'), (message) => told.push(message))).toBe(
      'linux-image-6.1.0-50-686',
    )
    expect(told).toEqual([])
  })

  it('takes the newest when that one is gone, by number, and says so', () => {
    const told: string[] = []
    expect(chooseKernel([line(9), line(57), line(8)].join('\n'), (message) => told.push(message))).toBe(
      'linux-image-6.1.0-57-686',
    )
    expect(told.join()).toContain('IS GONE')
  })

  it('says what apt does not know when there is none', () => {
    expect(() => chooseKernel('\n', () => {})).toThrow(/knows no package linux-image-6\.1\.0-50-686/)
  })
})
