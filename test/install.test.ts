/** What `npm ci` installs runs on every Node that the package names, so that nobody reads a warning of npm first. */
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

type Version = readonly [major: number, minor: number, patch: number]
interface Installed {
  readonly engines?: { readonly node?: string }
  /** Where it does not fit, npm leaves it out without a word. */
  readonly optional?: boolean
}

const read = (name: string) => JSON.parse(readFileSync(new URL(`../${name}`, import.meta.url), 'utf8'))
const manifest: { engines: { node: string } } = read('package.json')
const { packages } = read('package-lock.json') as { packages: Record<string, Installed> }

const versionOf = (text: string): Version => {
  const [major = 0, minor = 0, patch = 0] = text.split('.').map(Number)
  return [major, minor, patch]
}

/** Below 0: the first is older. */
const compare = (a: Version, b: Version) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]

/** The ranges that the packages use: comparisons, all of which hold, with `||` between alternatives. */
function accepts(range: string, version: Version): boolean {
  return range.split('||').some((alternative) =>
    [...alternative.matchAll(/(>=|>|<=|<|\^|~|=|)\s*v?(\d[\d.]*|\*)/g)].every(([, operator, text]) => {
      if (text === '*') return true
      const other = versionOf(text!)
      const order = compare(version, other)
      if (operator === '>=') return order >= 0
      if (operator === '>') return order > 0
      if (operator === '<=') return order <= 0
      if (operator === '<') return order < 0
      const given = operator === '^' ? 1 : operator === '~' ? 2 : text!.split('.').filter((part) => part !== '').length
      return order >= 0 && other.slice(0, given).every((part, i) => part === version[i])
    }),
  )
}

it.each([
  ['>=20.0.0', '20.19.0', true],
  ['>=22.12.0', '20.19.0', false],
  ['^22.18.0 || >=24.11.0', '20.19.0', false],
  ['^20.19.0 || >=22.12.0', '20.19.0', true],
  ['^20.19.0 || >=22.12.0', '21.7.0', false],
  ['>= 10 < 20', '20.19.0', false],
  ['18 || 20', '20.19.0', true],
  ['~20.18', '20.19.0', false],
  ['*', '20.19.0', true],
])('the range %s takes %s: %s', (range, version, taken) => {
  expect(accepts(range, versionOf(version))).toBe(taken)
})

it('every package of package-lock.json takes the oldest Node of engines, and those after it', () => {
  expect(manifest.engines.node).toBe('>=20.19')
  for (const node of ['20.19.0', '20.20.2', '22.22.0', '24.21.0']) {
    const refused = Object.entries(packages)
      .filter(
        ([, { engines, optional }]) =>
          !optional && engines?.node !== undefined && !accepts(engines.node, versionOf(node)),
      )
      .map(([name, { engines }]) => `${name}: ${engines!.node}`)
    expect(refused, node).toEqual([])
  }
})
