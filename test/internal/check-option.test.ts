import { describe, expect, it } from 'vitest'
import {
  checkBoolean,
  checkFunction,
  checkInteger,
  checkNumber,
  checkPowerOfTwo,
  checkWord,
  MAX_U32,
} from '../../src/internal/check-option.ts'
import { VirtioError } from '../../src/internal/error.ts'

function refusal(run: () => void): string {
  try {
    run()
  } catch (error) {
    expect(error).toBeInstanceOf(VirtioError)
    expect((error as VirtioError).code).toBe('INVALID_OPTION')
    return (error as VirtioError).message
  }
  return 'accepted'
}

describe('checked options', () => {
  it.each([
    [Number.NaN, 'NaN'],
    [0, '0'],
    [-1, '-1'],
    [1.5, '1.5'],
    [2 ** 32, '4294967296'],
    [Number.POSITIVE_INFINITY, 'Infinity'],
    ['64', '"64"'],
    [null, 'null'],
    [undefined, 'undefined'],
    [64n, '64n'],
    [[64], 'an array'],
    [{}, 'an object'],
  ])('an integer that is none, or too small or large: %s', (value, shown) => {
    const message = refusal(() => checkInteger('bufAlloc', value, 1, MAX_U32, 'bytes'))
    expect(message).toBe(`bufAlloc must be an integer from 1 to 4294967295 (bytes), not ${shown}`)
  })

  it('both ends of a range belong to it', () => {
    expect(refusal(() => checkInteger('port', 0, 0, 10))).toBe('accepted')
    expect(refusal(() => checkInteger('port', 10, 0, 10))).toBe('accepted')
    expect(refusal(() => checkInteger('port', 2 ** 53, 0))).toBe(
      'port must be an integer from 0 to 2^53 - 1, not 9007199254740992',
    )
  })

  it('a number may have a fraction, and is finite', () => {
    expect(refusal(() => checkNumber('share', 0.5, 0, 1))).toBe('accepted')
    expect(refusal(() => checkNumber('share', Number.NaN, 0, 1))).toBe('share must be a number from 0 to 1, not NaN')
    expect(refusal(() => checkNumber('share', 1.01, 0, 1))).toBe('share must be a number from 0 to 1, not 1.01')
  })

  it('a power of two', () => {
    for (const size of [1, 2, 64, 32768]) {
      expect(refusal(() => checkPowerOfTwo('queueSize', size, 1, 32768))).toBe('accepted')
    }
    for (const size of [0, -1, 3, 0.5, 65536, Number.NaN, '64']) {
      expect(refusal(() => checkPowerOfTwo('queueSize', size, 1, 32768))).toMatch(/^queueSize must be a power of two/)
    }
  })

  it('a word, with the one that was meant', () => {
    const policies = ['reject', 'latch', 'needs-reset']
    expect(refusal(() => checkWord('policy', 'latch', policies))).toBe('accepted')
    expect(refusal(() => checkWord('policy', 'rejct', policies))).toBe(
      'policy must be one of reject, latch, needs-reset, not "rejct"; did you mean reject?',
    )
    expect(refusal(() => checkWord('policy', 7, policies))).toBe(
      'policy must be one of reject, latch, needs-reset, not 7',
    )
  })

  it('booleans and functions', () => {
    expect(refusal(() => checkBoolean('eventIdx', 1))).toBe('eventIdx must be true or false, not 1')
    expect(refusal(() => checkFunction('source', {}))).toBe('source must be a function, not an object')
    expect(refusal(() => checkFunction('source', Math.random))).toBe('accepted')
    expect(refusal(() => checkBoolean('eventIdx', () => true))).toBe('eventIdx must be true or false, not a function')
  })
})
