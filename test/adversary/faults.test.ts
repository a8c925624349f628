/** The faults that `adversary:power` and `hostile:power` put into the sources: what they replace is there, once, and something else comes of it. */
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { FAULTS, HOSTILE_FAULTS } from '../../adversary/power/faults.ts'

it.each([...FAULTS, ...HOSTILE_FAULTS].map((fault) => [fault.name, fault] as const))('%s', (_, fault) => {
  const source = readFileSync(new URL(`../../${fault.file}`, import.meta.url), 'utf8')
  expect(source.split(fault.replace).length - 1, `${fault.replace} in ${fault.file}`).toBe(1)
  expect(source.replace(fault.replace, () => fault.by)).not.toBe(source)
})
