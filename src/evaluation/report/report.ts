/** The report: data to one HTML page that needs nothing but itself. Pure; docs/evaluation.md tells what is in it. */

import { type Chart, count, escaped, figure, figureHtml, list, pageHtml, paragraphs, table } from '../../page/index.ts'
import { BOARD_PROFILES, type BoardProfile } from '../../platform-zcu102/index.ts'
import type { ReportData } from '../report-data.ts'
import { platformHtml } from './platform.ts'
import type { Section, Verdict } from './section.ts'
import { SECTIONS } from './sections/index.ts'
import { RULE } from './telling.ts'
import { threats } from './threats.ts'

/** `script`: the built script of pages. */
export function renderReport(data: ReportData, script: string): string {
  const { manifest } = data
  const { platform, campaign, version } = manifest
  const made = SECTIONS.map(({ experiment, make }) => ({ experiment, section: make(data) }))
  const sections = made.flatMap(({ section }) => (section === null ? [] : [section]))
  const missing = made.filter(({ section }) => section === null).map(({ experiment }) => experiment)
  const charts: Record<string, Chart> = {}
  let number = 0
  const sectionHtml = (section: Section) => `
<section id="${section.id}">
<h2>${escaped(section.title)}</h2>
${paragraphs(section.paragraphs)}
<div class="figures">${section.figures
    .map((one) => {
      charts[one.id] = one.chart
      return figureHtml(one, ++number)
    })
    .join('')}</div>
</section>`
  const body = sections.map(sectionHtml).join('')
  const rows = manifest.experiments.reduce((sum, experiment) => sum + experiment.rows, 0)
  const refuted = manifest.experiments.reduce((sum, experiment) => sum + experiment.refuted, 0)
  const title = `Evaluation of a floating broker for regulated inter-VM communication`
  const content = `<header>
<h1>${title}</h1>
<p class="lead">Dedicated against floating placement, interrupts, zero-copy, and the analyses that bound them, on ${escaped(platform.title)}.</p>
<ul class="meta"><li>virtio-sdk ${escaped(version)}</li><li>platform ${escaped(platform.name)}</li><li>seed ${campaign.seed}</li><li>${count(campaign.points, 'utilisation')} × ${count(campaign.sets, 'set')}</li><li>${count(rows, 'row')} of data</li></ul>
${originHtml(data)}
<nav aria-label="Contents"><ol>${[
    ['summary', 'Summary'],
    ...sections.map(({ id, title }) => [id, title]),
    ['platform', 'Costs and assumptions'],
    ['threats', 'Threats to validity'],
    ['reproduce', 'How to reproduce'],
  ]
    .map(([id, text]) => `<li><a href="#${id}">${escaped(text!)}</a></li>`)
    .join('')}</ol></nav>
</header>
<main>
<section id="summary">
<h2>Summary</h2>
${keysHtml(sections)}
${verdictsHtml(sections, rows, refuted)}
<p class="note">${escaped(RULE)}</p>
${missing.length === 0 ? '' : `<p>Not run, and left out: ${missing.map((name) => `<code>${escaped(name)}</code>`).join(', ')}.</p>`}
</section>
${body}
<section id="platform">
<h2>Costs and assumptions</h2>
<p>${escaped(platform.title)}. READ: seen in a public source. RECALLED: common knowledge, unchecked. DERIVED: computed from others. ASSUMED: a placeholder, to be calibrated. MEASURED: on the board, by whoever wrote the calibration.</p>
<div class="scroll all">${platformHtml(platform)}</div>
${assumptionsHtml(data)}
</section>
<section id="threats"><h2>Threats to validity</h2>${list(threats(platform))}</section>
<section id="reproduce"><h2>How to reproduce</h2>${reproduceHtml(data)}</section>
</main>
<footer>Charts by Observable Plot (ISC licence, © Observable, Inc.) and D3 (ISC licence, © Mike Bostock), which are part of this page. The page loads nothing.</footer>`
  return pageHtml({ title, content, charts, script })
}

function originHtml({ manifest: { platform } }: ReportData): string {
  const measured = Object.values(platform.costsNs).some(({ status }) => status.includes('MEASURED'))
  return `<p class="warning">${
    measured
      ? 'Figures are <strong>bounded</strong> by an analysis or <strong>simulated</strong>; of the costs that they rest on, some were <strong>measured</strong> on a board and are marked so below.'
      : 'Figures are <strong>bounded</strong> by an analysis or <strong>simulated</strong>. <strong>Nothing here was measured on a board</strong>; the costs that they rest on, and where each comes from, are listed below.'
  }</p>`
}

function keysHtml(sections: readonly Section[]): string {
  const keys = sections.flatMap((section) => section.keys)
  if (keys.length === 0) return ''
  const items = keys.map(
    ({ id, value, grid, text, provenance }) =>
      `<li id="key-${id}"${grid === undefined ? '' : ' class="wide"'}>${grid === undefined ? `<strong>${escaped(value ?? '–')}</strong>` : table(grid)}<span>${escaped(text)}</span><span class="origin">${escaped(provenance)}</span></li>`,
  )
  return `<ul class="keys">${items.join('')}</ul>`
}

function verdictsHtml(sections: readonly Section[], rows: number, refuted: number): string {
  const verdicts: Verdict[] = [
    ...sections.flatMap((section) => section.verdicts),
    {
      id: 'no-row-refutes',
      claim: 'No row of any experiment refutes what it should show.',
      holds: rows === 0 ? null : refuted === 0,
      evidence: `${figure(refuted)} of ${count(rows, 'row')} do.`,
    },
  ]
  const word = ({ holds }: Verdict) =>
    holds === null ? ['open', 'undecided'] : holds ? ['yes', 'holds'] : ['no', 'does not hold']
  const lines = verdicts.map((verdict) => {
    const [look, text] = word(verdict)
    return `<tr id="verdict-${verdict.id}"><td class="${look}">${text}</td><td>${escaped(verdict.claim)}</td><td>${escaped(verdict.evidence)}</td></tr>`
  })
  return `<table class="verdicts"><thead><tr><th scope="col">Verdict</th><th scope="col">Claim</th><th scope="col">Evidence</th></tr></thead><tbody>${lines.join('')}</tbody></table>`
}

function reproduceHtml({ manifest }: ReportData): string {
  const { campaign, platform, experiments, version } = manifest
  const only = experiments.map(({ name }) => name).join(',')
  const command = [
    `npx virtio-sdk@${version} evaluate`,
    `--points ${campaign.points} --sets ${campaign.sets} --seed ${campaign.seed}`,
    platformFlags(platform),
    `--only ${only}`,
  ].join(' \\\n  ')
  return `<p>The same version, seed, parameters and costs give the same data, byte for byte, whatever the number of threads or shards.</p>
<pre>${escaped(command)}</pre>
<div class="scroll all">${table({
    head: ['experiment', 'file', 'rows'],
    rows: experiments.flatMap(({ name, file, rows, summary }) => [
      [name, file, rows],
      ...(summary === null ? [] : [[`${name}, summary`, summary.file, null]]),
    ]),
  })}</div>
<p>What each column means is in <code>manifest.json</code> beside this file, with the whole board profile.</p>`
}

/** Experiments with the same assumptions share a list. */
function assumptionsHtml({ manifest }: ReportData): string {
  const lists = new Map<string, { readonly titles: string[]; readonly assumptions: readonly string[] }>()
  for (const { title, assumptions } of manifest.experiments) {
    const key = assumptions.join('\n')
    const same = lists.get(key)
    if (same) same.titles.push(title)
    else lists.set(key, { titles: [title], assumptions })
  }
  return [...lists.values()]
    .map(({ titles, assumptions }) => `<h3>${escaped(titles.join(' · '))}</h3>${list(assumptions)}`)
    .join('')
}

/** A board that is not a built-in one, as it is built in, came from a file; one with measured costs may have come from two. */
function platformFlags(platform: BoardProfile): string {
  const builtIn = Object.hasOwn(BOARD_PROFILES, platform.name) ? BOARD_PROFILES[platform.name] : undefined
  if (JSON.stringify(builtIn) === JSON.stringify(platform)) return `--platform ${platform.name}`
  const measured = Object.values(platform.costsNs).some(({ status }) => status === 'MEASURED')
  const board = builtIn === undefined || !measured ? 'file:BOARD.yaml' : platform.name
  return `--platform ${board}${measured ? ' --calibration MEASURED.yaml' : ''}`
}
