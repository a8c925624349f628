import fc from 'fast-check'
import { expect, it } from 'vitest'
import { formatTime, parseSize, parseTime } from '../../src/scenario/index.ts'

it('reads times and sizes exactly', () => {
  expect(['0', 7, '1ns', '1.5us', '1.5 µs', '0.1ms', '2.000001ms', '1s'].map(parseTime)).toEqual([
    expect.objectContaining({ message: 'is not a time' }),
    7,
    1,
    1500,
    1500,
    100_000,
    2_000_001,
    1e9,
  ])
  expect([0, '1B', '4KiB', '1.5MiB', '1GiB'].map(parseSize)).toEqual([0, 1, 4096, 1_572_864, 2 ** 30])
})

it('refuses what it would have to round or guess', () => {
  for (const value of [
    '0.5ns',
    '-1ms',
    '1 m',
    '1e3ms',
    '',
    'ms',
    '1,5ms',
    1.5,
    -1,
    2 ** 53,
    Number.NaN,
    true,
    null,
    [],
    {},
    '9007199254740992s',
  ]) {
    expect(parseTime(value), String(value)).toHaveProperty('fix')
  }
  for (const value of ['1KB', '1 kB', '1MB', '1M', '1kib', '0.3B', '1.0001KiB']) {
    expect(parseSize(value), value).toHaveProperty('fix')
  }
})

it('reads back what it writes', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), (ns) => {
      expect(parseTime(formatTime(ns))).toBe(ns)
    }),
  )
})
