/** `docs/scenario.md` names every key there is, and the defaults that it promises are those that are filled in. */
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { parse, stringify } from 'yaml'
import { SHAPES } from '../../src/scenario/draft.ts'
import { INTERRUPT_PRESETS, parseScenario } from '../../src/scenario/index.ts'

const DOCS = readFileSync(new URL('../../docs/scenario.md', import.meta.url), 'utf8')
const [LEAST = ''] = /(?<=```yaml\n)[^`]*/.exec(DOCS) ?? []

/** Rows of the table below a heading: cells without the bars. */
function rows(heading: string): string[][] {
  const start = DOCS.indexOf(`\n${heading}\n`)
  expect(start, heading).toBeGreaterThan(0)
  const section = DOCS.slice(start + heading.length + 2).split(/\n#+ /)[0]!
  const lines = section.split('\n').filter((line) => line.startsWith('| '))
  return lines.slice(1).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
}

const names = (cell: string) => [...cell.matchAll(/`([^`]*)`/g)].map(([, name]) => name!)

it.each([
  ['## The file', SHAPES.top],
  ['## VMs', SHAPES.vm],
  ['### MemGuard', SHAPES.memguard],
  ['### Tasks', SHAPES.task],
  ['## Flows', SHAPES.flow],
  ['## Chains', SHAPES.chain],
  ['## Broker', SHAPES.broker],
  ['### Interrupts', SHAPES.interrupts],
  ['## Overrides', SHAPES.overrides],
])('%s: every key, in the order of the format', (heading, shape) => {
  expect(rows(heading).flatMap(([key]) => names(key!))).toEqual(Object.keys(shape))
})

it('every kind of regulator with its keys', () => {
  const documented = rows('### Regulators').map(([kind, keys]) => [names(kind!)[0], ['kind', ...names(keys!)]])
  expect(Object.fromEntries(documented)).toEqual(
    Object.fromEntries(Object.entries(SHAPES.regulators).map(([kind, shape]) => [kind, Object.keys(shape)])),
  )
})

it('what it calls the least is enough, and its defaults change nothing', () => {
  const least = parseScenario(LEAST)
  const places: [heading: string, place: (file: ReturnType<typeof parse>) => object][] = [
    ['## The file', (file) => file],
    ['## VMs', (file) => file.vms[0]],
    ['## Flows', (file) => file.flows[0]],
    ['## Broker', (file) => (file.broker ??= {})],
  ]
  let tried = 0
  for (const [heading, place] of places) {
    for (const [keys, , byDefault] of rows(heading)) {
      const [key, value] = [names(keys!)[0]!, /^`([^`]*)`$/.exec(byDefault!)?.[1]]
      if (value === undefined) continue
      const file = parse(LEAST)
      Object.assign(place(file), { [key]: parse(value) })
      expect(parseScenario(stringify(file)), `${heading} ${key}: ${value}`).toEqual(least)
      tried++
    }
  }
  expect(tried).toBeGreaterThan(18)
})

it('the switches of the presets', () => {
  for (const [keys, , minimum, plain] of rows('### Interrupts')) {
    const [key] = names(keys!)
    if (!/^`/.test(minimum!)) continue
    expect(INTERRUPT_PRESETS).toMatchObject({
      minimum: { [key!]: minimum === '`true`' },
      plain: { [key!]: plain === '`true`' },
    })
  }
})
