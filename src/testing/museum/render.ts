/** A museum report as a table for people, and as JUnit XML for build servers; as JSON it is what it is. */
import { type ExhibitResult, type MuseumReport, VERDICTS } from './exhibit.ts'

/** Columns of text, the target's name above and what was wrong below; ends in a newline. */
export function museumTable(report: MuseumReport): string {
  const { target, results } = report
  const width = Math.max(...results.map(({ title }) => title.length), 0)
  const lines = results.map(({ number, title, verdict, clauses, reads }) => {
    const shown = reads === null ? '' : `${reads} reads`
    return `${String(number).padStart(4)}  ${verdict.padEnd(6)}  ${title.padEnd(width)}  ${shown.padStart(9)}  ${clauses.join(' ')}`
  })
  const wrong = results.filter(({ detail, verdict }) => detail !== '' && verdict !== 'SKIP')
  const details = wrong.map(({ number, title, detail }) => `  ${number} ${title}: ${detail}`)
  const notes = report.notes.map((note) => `  note: ${note}`)
  return `${[target, ...lines, tally(report), ...details, ...notes].join('\n')}\n`
}

export function tally({ counts }: MuseumReport): string {
  return VERDICTS.filter((verdict) => counts[verdict] > 0)
    .map((verdict) => `${counts[verdict]} ${verdict}`)
    .join(', ')
}

/** One suite a report. FAIL and WEDGED are failures. */
export function museumJUnit(reports: readonly MuseumReport[]): string {
  const suites = reports.map(({ target, results, counts }) => {
    const cases = results.map((result) => testCase(target, result)).join('')
    const attributes = `name="${escapeXml(target)}" tests="${results.length}" failures="${counts.FAIL + counts.WEDGED}" skipped="${counts.SKIP}"`
    return `  <testsuite ${attributes}>\n${cases}  </testsuite>\n`
  })
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n${suites.join('')}</testsuites>\n`
}

function testCase(target: string, { number, title, verdict, detail, clauses }: ExhibitResult): string {
  const name = `${number} ${title} [${clauses.join(' ')}]`
  const head = `    <testcase classname="${escapeXml(target)}" name="${escapeXml(name)}"`
  if (verdict === 'SKIP') return `${head}><skipped message="${escapeXml(detail)}"/></testcase>\n`
  if (verdict === 'PASS' || verdict === 'REJECT') return `${head}/>\n`
  return `${head}><failure type="${verdict}" message="${escapeXml(detail)}"/></testcase>\n`
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }

/** XML has no place at all for most control characters. */
function escapeXml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => ENTITIES[character]!).replace(/\p{Cc}/gu, ' ')
}
