/** The pages of `analyze`, `simulate`, `simulate --worst` and `compare`: which verdicts, figures and tables each has. */
import type { Figure } from '../page/index.ts'
import type { MessageTimes, Prediction } from '../platform-zcu102/index.ts'
import { everythingFits } from '../prediction/index.ts'
import type { Scenario } from '../scenario/index.ts'
import { reasonLines } from './analyze-head.ts'
import { type Analysis, analysisSections, headingOf, verdictLines } from './analyze-report.ts'
import { COMPARISON, comparedRows, comparisonSections, exceededBy, headsOf, type Side } from './compare-report.ts'
import { type TimeOf, termsFigure, timelineFigure, timesFigure } from './html-figures.ts'
import type { PageOfFindings, PageVerdict } from './html-page.ts'
import { simulatedHeading } from './report-parts.ts'
import { type DesignRun, exceededBounds, simulationSections } from './simulate-report.ts'
import { counted } from './table.ts'
import type { Paint } from './terminal.ts'
import { exceeding, type WorstRun, worstSections } from './worst-report.ts'

const PLAIN: Paint = (text) => text

function metaOf({ platform, vms, flows, seed }: Scenario, version: string): string[] {
  return [
    `virtio-sdk ${version}`,
    `platform ${platform}`,
    counted(vms.length, 'VM'),
    counted(flows.length, 'flow'),
    `seed ${seed}`,
  ]
}

/** Bounds and deadlines of flows and chains. */
function bounded({ flows, chains }: Pick<Prediction, 'flows' | 'chains'>): TimeOf[] {
  return [...flows, ...chains].flatMap(({ deadlineNs, endToEndNs, name }) => [
    { name, series: 'bound', ns: endToEndNs },
    { name, series: 'deadline', ns: deadlineNs },
  ])
}

/** Of `analyze`. */
export function analysisPage(analysis: Analysis, version: string): PageOfFindings {
  const { prediction, scenario, title, untrusted } = analysis
  const terms = termsFigure(prediction.flows)
  const [trusted = '', hostile] = verdictLines(analysis)
  return {
    title: `${title}: bounds`,
    lead: headingOf(analysis),
    meta: metaOf(scenario, version),
    verdicts: [
      {
        claim: 'Every deadline is met while guests keep to their flows.',
        holds: everythingFits(prediction),
        evidence: trusted,
      },
      ...(hostile === undefined
        ? []
        : [
            {
              claim: 'Every flow meets its deadline whatever VMs do that are not trusted.',
              holds: untrusted.every(({ schedulable }) => schedulable),
              evidence: hostile,
            },
          ]),
    ],
    reasons: reasonLines(analysis, PLAIN).map((line) => (line.startsWith('  --set') ? `\`${line.trim()}\`` : line)),
    figures: [
      timesFigure(
        'bounds',
        everythingFits(prediction) ? 'Bounds are within the deadlines' : 'Not all bounds are within the deadlines',
        'bounded',
        'From the nominal release until read, A4, at worst costs. A flow without a bound has its deadline only.',
        bounded(prediction),
        { bound: 'bound', deadline: 'deadline' },
      ),
      ...(terms === null ? [] : [terms]),
    ],
    sections: analysisSections(analysis),
  }
}

function boundVerdict(exceeded: readonly string[]): PageVerdict {
  return {
    claim: 'No response that was seen is above its bound.',
    holds: exceeded.length === 0,
    evidence: exceeded.join('; ') || 'All are at or below it, as far as there is one.',
  }
}

/** Of `simulate`. `times`: of each run. */
export function simulationPage(
  title: string,
  scenario: Scenario,
  runs: readonly DesignRun[],
  times: readonly MessageTimes[],
  assumptions: readonly string[],
  version: string,
): PageOfFindings {
  const missed = runs.flatMap(({ design, result }) =>
    result.deadlineMisses > 0 ? [`${design}: ${result.deadlineMisses}`] : [],
  )
  const wrong = runs.filter(({ result }) => result.payloadMismatches > 0 || result.violations > 0)
  const figures = runs.flatMap(({ bounds, design, result }, i): Figure[] => {
    const seen = (['flows', 'chains'] as const).flatMap((kind) =>
      scenario[kind].flatMap(({ deadlineNs, name }): TimeOf[] => {
        const response = result[kind][name]?.responseTimeNs ?? null
        return [
          {
            name,
            series: 'median',
            ns: response?.p50 ?? null,
            ...(response && { low: response.min, high: response.max }),
          },
          { name, series: 'max', ns: response?.max ?? null },
          { name, series: 'bound', ns: bounds[kind].get(name) ?? null },
          { name, series: 'deadline', ns: deadlineNs },
        ]
      }),
    )
    const boundsNs = scenario.flows.map(({ name }) => bounds.flows.get(name) ?? null)
    const timeline = timelineFigure(`timeline-${design}`, scenario, times[i]!, boundsNs, `One run, ${design}.`)
    return [
      timesFigure(
        `times-${design}`,
        `${design}: responses of one run, bounds and deadlines`,
        'bounded over simulated',
        `Simulated, seed ${scenario.seed}; a line from the shortest to the longest response.`,
        seen,
        { median: 'median', max: 'longest', bound: 'bound', deadline: 'deadline' },
      ),
      ...(timeline === null ? [] : [timeline]),
    ]
  })
  return {
    title: `${title}: simulated`,
    lead: simulatedHeading(title, scenario),
    meta: metaOf(scenario, version),
    verdicts: [
      {
        claim: 'No deadline was missed in these runs.',
        holds: missed.length === 0,
        evidence: missed.join('; ') || 'None was.',
      },
      boundVerdict(runs.flatMap(exceededBounds)),
      {
        claim: 'Every payload arrived as it was sent, and no guest broke a rule.',
        holds: wrong.length === 0,
        evidence: wrong.map(({ design }) => design).join(', ') || 'Compared byte by byte, where flows carry bytes.',
      },
    ],
    figures,
    sections: simulationSections(scenario, runs, assumptions),
  }
}

/** Of `simulate --worst`. `times`: of the run that came nearest to a bound, of each design. */
export function worstPage(
  title: string,
  scenario: Scenario,
  searches: readonly WorstRun[],
  times: readonly MessageTimes[],
  assumptions: readonly string[],
  version: string,
): PageOfFindings {
  const figures = searches.flatMap(({ boundsNs, design, found }, i): Figure[] => {
    const all = found.flatMap(({ flow, responseNs }, k): TimeOf[] => [
      { name: flow, series: 'max', ns: responseNs },
      { name: flow, series: 'bound', ns: boundsNs[k] ?? null },
      { name: flow, series: 'deadline', ns: scenario.flows[k]!.deadlineNs },
    ])
    const timeline = timelineFigure(
      `timeline-${design}`,
      scenario,
      times[i]!,
      boundsNs,
      `The run that was found, ${design}.`,
    )
    return [
      timesFigure(
        `times-${design}`,
        `${design}: longest responses found, bounds and deadlines`,
        'bounded over simulated',
        'Each was seen in a run that the scenario allows; a longer one may exist.',
        all,
        { max: 'longest found', bound: 'bound', deadline: 'deadline' },
      ),
      ...(timeline === null ? [] : [timeline]),
    ]
  })
  const late = searches.flatMap(({ design, found }) =>
    found.flatMap(({ flow, responseNs }, i) =>
      responseNs > scenario.flows[i]!.deadlineNs ? [`${design}: ${flow}`] : [],
    ),
  )
  return {
    title: `${title}: longest responses found`,
    lead: simulatedHeading(title, scenario),
    meta: metaOf(scenario, version),
    verdicts: [
      boundVerdict(searches.flatMap(exceeding)),
      {
        claim: 'No run was found that misses a deadline.',
        holds: late.length === 0,
        evidence: late.join('; ') || 'None was.',
      },
    ],
    figures,
    sections: worstSections(scenario, searches, assumptions),
  }
}

/** Of `compare`. */
export function comparisonPage(sides: readonly Side[], version: string): PageOfFindings {
  const rows = [...comparedRows(sides, 'flows'), ...comparedRows(sides, 'chains')]
  const all = rows.flatMap(({ boundNs, maxNs, name }): TimeOf[] => [
    { name, series: 'bound-a', ns: boundNs[0] ?? null },
    { name, series: 'bound-b', ns: boundNs[1] ?? null },
    { name, series: 'max-a', ns: maxNs[0] ?? null },
    { name, series: 'max-b', ns: maxNs[1] ?? null },
  ])
  return {
    title: COMPARISON,
    lead: headsOf(sides).join(' · '),
    meta: sides.flatMap(({ scenario }, i) => metaOf(scenario, version).map((text) => `${'AB'[i]}: ${text}`)),
    verdicts: [boundVerdict(exceededBy(sides))],
    figures: [
      timesFigure(
        'compared',
        'Bounds of both, and the longest response of one run of each',
        'bounded over simulated',
        'What one of the two does not have is left out.',
        all,
        { 'bound-a': 'bound of A', 'bound-b': 'bound of B', 'max-a': 'longest of A', 'max-b': 'longest of B' },
      ),
    ],
    sections: comparisonSections(sides),
  }
}
