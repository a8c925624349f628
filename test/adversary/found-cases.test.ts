/** Cases in which the adversary once saw a bound exceeded, shrunk: all of their bounds hold. */
import { readdirSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { parseCase } from '../../adversary/case.ts'
import { examineCase } from '../../adversary/examine.ts'
import { Random } from '../../src/internal/random.ts'

const FOLDER = new URL('found-cases/', import.meta.url)

it.each(readdirSync(FOLDER))('%s', (file) => {
  const { bounds, crashed, exceeded } = examineCase(
    parseCase(readFileSync(new URL(file, FOLDER), 'utf8')),
    new Random(0),
  )
  expect({ crashed, exceeded }).toEqual({ crashed: null, exceeded: [] })
  expect(bounds).toBeGreaterThan(0)
})
