/** The faults that the adversary and hostile guests are measured by can be put into the sources as they are. */
import { expect, it } from 'vitest'
import { FAULTS, HOSTILE_FAULTS, withFault } from '../../adversary/power/faults.ts'

const ALL = [...FAULTS, ...HOSTILE_FAULTS]

it.each(ALL.map((fault) => [fault.name, fault] as const))('%s', (_, fault) => {
  const files = [fault.file, ...(fault.also === undefined ? [] : [fault.also.file])]
  expect([...withFault(fault).keys()]).toEqual([...new Set(files)])
})

it('each has a name of its own', () => {
  expect(new Set(ALL.map(({ name }) => name)).size).toBe(ALL.length)
})

it('one whose text is gone is an error that says where', () => {
  const gone = { ...FAULTS[0]!, replace: 'no such text' }
  expect(() => withFault(gone)).toThrow(
    '"back-pressure": what it replaces stands 0 times in src/broker/policing.ts, not once',
  )
})
