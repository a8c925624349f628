/** What the documents say of the boards is what the boards are. `vitest -u` writes the table of figures anew. */
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import {
  BOARD_PROFILES,
  type Fact,
  parseBoardProfile,
  parseCalibration,
  profileOf,
} from '../../src/platform-zcu102/index.ts'

const GUIDE = readFileSync(new URL('../../docs/platforms.md', import.meta.url), 'utf8')
const PROFILES = Object.values(BOARD_PROFILES)

it('docs/platform-figures.md has every figure of every board', async () => {
  await expect(figures()).toMatchFileSnapshot('../../docs/platform-figures.md')
})

it('docs/platforms.md names every board and every cost, with a way to measure it', () => {
  const [table, measuring] = [section('# Boards'), section('## Calibration')]
  for (const { name } of PROFILES) expect(table).toContain(`| \`${name}\` |`)
  for (const op of Object.keys(profileOf('zcu102').costsNs)) {
    if (op !== 'messageOverhead') expect(measuring, op).toContain(`\`${op}\``)
  }
})

it('its calibration file is one, and its board file is refused as it says', () => {
  const [yaml] = /(?<=```yaml\n)[^`]*/.exec(GUIDE) ?? ['']
  expect(Object.keys(parseCalibration(yaml).costsNs)).toEqual(['hvc', 'dmaSetup'])
  const mistake =
    'costsNs.mmioTrap.value: a list of 430, 285 and 3000 ns is out of order; write best <= typical <= worst'
  expect(GUIDE).toContain(mistake)
  const { zcu102 } = BOARD_PROFILES
  const swapped = { ...zcu102!.costsNs, mmioTrap: { ...zcu102!.costsNs.mmioTrap, value: [430, 285, 3000] } }
  expect(() => parseBoardProfile(JSON.stringify({ ...zcu102, costsNs: swapped }))).toThrow(mistake)
})

function section(heading: string): string {
  const start = GUIDE.indexOf(`${heading}\n`)
  expect(start, heading).toBeGreaterThanOrEqual(0)
  const end = GUIDE.indexOf('\n## ', start + heading.length)
  return GUIDE.slice(start, end < 0 ? undefined : end)
}

function figures(): string {
  const parts = [
    '# Figures of the boards',
    '',
    'Written by a test from the profiles themselves. What the words mean, and where the figures come from: [Boards](platforms.md).',
    'Costs are [best, typical, worst] in ns.',
  ]
  for (const { name, title, hardware, costsNs, ...rest } of PROFILES) {
    parts.push('', `## ${name}: ${title}`, '', '| figure | value | status | source |', '|---|---|---|---|')
    const facts: Record<string, Fact<unknown>> = { ...hardware, ...rest, ...costsNs }
    for (const [key, { value, status, source }] of Object.entries(facts)) {
      const shown = typeof value === 'string' ? value : JSON.stringify(value).replaceAll(',', ', ').replaceAll('"', '')
      parts.push(`| \`${key}\` | ${shown} | ${status} | ${source} |`)
    }
  }
  return `${parts.join('\n')}\n`
}
