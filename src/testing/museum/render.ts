/** A museum report as a table for people, and as JUnit XML for build servers; as JSON it is what it is. */
import { type ExhibitResult, type MuseumReport, VERDICTS } from './exhibit.ts'

/** Widest line of a table, characters: what a terminal and a build server's log show without wrapping. */
const WIDTH = 100
/** Number, verdict and two spaces behind each; reads stand at the end of the line. */
const MARGIN = 14
const READS = 14

/** The target's name, a table of at most 100 columns, and below it what was wrong, a line each. Ends in a newline. */
export function museumTable(report: MuseumReport): string {
  return museumLines(report, (text) => text)
    .map((line) => `${line}\n`)
    .join('')
}

/** `paint`: of a verdict, a note, what was skipped. */
export function museumLines(
  report: MuseumReport,
  paint: (text: string, tone: ExhibitResult['verdict'] | 'note' | 'head') => string,
): string[] {
  const { target, results } = report
  const table = results.flatMap(({ number, title, verdict, clauses, reads }) => {
    const [first = '', ...rest] = wrap(title, WIDTH - MARGIN - READS)
    const shown = reads === null ? '' : `${reads} reads`
    const failed = verdict === 'FAIL' || verdict === 'WEDGED'
    const line = `${String(number).padStart(4)}  ${paint(verdict.padEnd(6), verdict)}  ${first.padEnd(WIDTH - MARGIN - READS)}${shown.padStart(READS)}`
    const below = [...rest, ...(failed ? wrap(clauses.join(' '), WIDTH - MARGIN) : [])]
    return [line.trimEnd(), ...below.map((text) => `${' '.repeat(MARGIN)}${text}`)]
  })
  const wrong = results.filter(({ detail, verdict }) => detail !== '' && verdict !== 'SKIP')
  const details = wrong.map(({ number, title, verdict, detail }) => paint(`  ${number} ${title}: ${detail}`, verdict))
  const notes = report.notes.map((note) => paint(`  note: ${note}`, 'note'))
  const skipped = skippedOf(report).map((line) => paint(`  ${line}`, 'SKIP'))
  return [paint(target, 'head'), ...table, tally(report), ...details, ...notes, ...skipped]
}

/** `38, 39 skipped: the target has a split ring`: a line a reason. */
function skippedOf({ results }: MuseumReport): string[] {
  const reasons = new Map<string, Set<number>>()
  for (const { number, verdict, detail } of results) {
    if (verdict === 'SKIP') reasons.set(detail, (reasons.get(detail) ?? new Set()).add(number))
  }
  return [...reasons].map(([reason, numbers]) => `${[...numbers].join(', ')} skipped: ${reason}`)
}

/** At spaces. Titles and clauses are ours, and have them. */
function wrap(text: string, width: number): string[] {
  const lines = ['']
  for (const word of text.split(' ')) {
    const line = lines.at(-1)!
    if (line !== '' && line.length + 1 + word.length > width) lines.push(word)
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`
  }
  return lines
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
