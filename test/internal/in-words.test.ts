import { expect, it } from 'vitest'
import { inWords } from '../../src/internal/in-words.ts'

const shy = {
  toJSON() {
    throw null
  },
}

it.each([
  [undefined, 'undefined'],
  [null, 'null'],
  [5.5, '5.5'],
  [7n, '7'],
  ['text', '"text"'],
  [Symbol('odd'), 'Symbol(odd)'],
  [() => 1, 'a function'],
  [{ kind: 'chain' }, '{"kind":"chain"}'],
  [new Error('why'), 'Error: why'],
  [{ big: 1n }, 'an object'],
  [{ toJSON: () => undefined }, 'an object'],
  [shy, 'an object'],
])('%s', (value, words) => {
  expect(inWords(value)).toBe(words)
})

it('is cut where it is asked to be', () => {
  expect(inWords([1, 2, 3, 4], 5)).toBe('[1,2,…')
})
