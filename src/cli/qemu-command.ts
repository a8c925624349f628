/** `simulate --on qemu`: the same run on QEMU's model of the ZCU102, and its counts beside those of the simulated board. */
import { basename, resolve } from 'node:path'
import { type QemuCounts, simulateOnQemu } from '../platform-qemu/index.ts'
import { assumptionsOf, type DesignResult, predict } from '../platform-zcu102/index.ts'
import type { Scenario } from '../scenario/index.ts'
import { oneLine } from './escape.ts'
import { progress } from './progress.ts'
import { assumptionLines, count, simulatedHeading, tellExceeded } from './report-parts.ts'
import { readScenario } from './scenario-file.ts'
import { fileReader, profileOfScenario, withPlatform } from './scenario-profile.ts'
import { boundsOf, designsOf, type SimulateFlags, seedAndDuration } from './simulate-flags.ts'
import { type DesignRun, exceededBounds, reportObject } from './simulate-report.ts'
import { type Cell, renderTable } from './table.ts'
import { EXIT_NEGATIVE, EXIT_OK, type Paint, painter, type Terminal, UsageError } from './terminal.ts'

/** Guests on QEMU make their payload themselves, and nobody sees more of it than its hash. */
const NOT_ON_QEMU = ['worst', 'payload', 'out', 'trace', 'html'] as const

interface QemuRun extends DesignRun {
  readonly counts: QemuCounts
}

/** What both count, and how each calls it. */
const COUNTED: readonly (readonly [what: string, board: (result: DesignResult) => number, qemu: keyof QemuCounts])[] = [
  ['cross-core IPIs', (result) => result.crossCoreIpis, 'ipis'],
  ['interrupts taken by VM cores', (result) => result.vmInterrupts, 'interrupts'],
  ['exits on VM cores', (result) => result.vmExits, 'exits'],
  ['list registers written', (result) => result.actions.injectListRegister, 'listRegisters'],
  ['virtual interrupts', (result) => result.virtualInterrupts, 'virtualInterrupts'],
  ['DMA transfers', (result) => result.dmaTransfers, 'transfers'],
  ['DMA descriptors', (result) => result.dmaDescriptors, 'descriptors'],
  ['stage-2 entries written', (result) => result.actions.pteUpdate, 'tableWrites'],
  ['invalidations', (result) => result.actions.tlbInvalidate, 'invalidations'],
]

export async function qemuCommand(
  path: string,
  flags: SimulateFlags,
  terminal: Terminal,
  sources: string,
): Promise<number> {
  if (flags.on !== 'qemu') throw new UsageError(`--on ${flags.on}: use board or qemu`)
  const stray = NOT_ON_QEMU.find((name) => flags[name] !== undefined)
  if (stray !== undefined) throw new UsageError(`--${stray} is not for --on qemu: leave one of the two out`)
  const scenarioPath = resolve(terminal.cwd, path)
  const written = { ...readScenario(path, terminal.cwd, flags.set), ...seedAndDuration(flags) }
  const scenario = withPlatform(written, flags, terminal.cwd)
  const replays = scenario.flows.find(({ releases }) => releases !== undefined)
  if (replays !== undefined)
    throw new UsageError(
      `flow ${replays.name} replays a file of releases, which --on qemu does not: leave one of the two out`,
    )
  const note = (text: string) => flags.quiet || terminal.stderr.write(`note: ${text}\n`)
  const designs = designsOf(flags.design, scenario, note)
  const profile = profileOfScenario(scenario, fileReader(scenarioPath, terminal.cwd))

  const line = progress(terminal, !flags.quiet)
  const runs: QemuRun[] = []
  let version = ''
  for (const design of designs) {
    const started = terminal.now()
    const onQemu = await simulateOnQemu(scenario, {
      design,
      profile,
      sources,
      onProgress: (simulatedNs, totalNs) => line.update(`${design} on QEMU`.padEnd(17), simulatedNs, totalNs),
    })
    line.clear()
    const wallMs = terminal.now() - started
    const { counts, result } = onQemu
    version = onQemu.version
    runs.push({ design, result, counts, wallMs, bounds: boundsOf(predict(scenario, { design, profile })) })
  }

  const different = runs.flatMap(differences)
  const assumptions = assumptionsOf(scenario, profile)
  if (flags.json) {
    const qemu = { version, designs: Object.fromEntries(runs.map(({ design, counts }) => [design, counts])) }
    const object = { ...reportObject(scenario, profile, runs, assumptions), qemu }
    terminal.stdout.write(`${JSON.stringify(object, null, 2)}\n`)
  } else if (!flags.quiet) {
    const paint = painter(terminal.stdout, terminal.env)
    terminal.stdout.write(render(oneLine(basename(path)), scenario, runs, version, assumptions, paint))
  }
  for (const what of different) terminal.stderr.write(`${what}\n`)
  const exceeded = runs.flatMap(exceededBounds)
  tellExceeded(exceeded, scenario, terminal)
  const clean = runs.every(({ result }) => result.payloadMismatches === 0 && result.violations === 0)
  return clean && different.length === 0 && exceeded.length === 0 ? EXIT_OK : EXIT_NEGATIVE
}

/** Where the two count differently, as it goes into a message. */
function differences({ design, result, counts }: QemuRun): string[] {
  return COUNTED.flatMap(([what, board, qemu]) =>
    board(result) === counts[qemu]
      ? []
      : [`${design}: ${what}: ${counts[qemu]} on QEMU, ${board(result)} on the simulated board`],
  )
}

function render(
  title: string,
  scenario: Scenario,
  runs: readonly QemuRun[],
  version: string,
  assumptions: readonly string[],
  paint: Paint,
): string {
  const head = ['', ...runs.flatMap(({ design }) => [`${design}: board`, 'QEMU'])]
  const payload = (label: string, cell: (run: QemuRun) => Cell): Cell[] => [
    label,
    ...runs.flatMap((run) => ['', cell(run)]),
  ]
  const rows: Cell[][] = [
    payload('messages delivered', ({ result }) => `${count(result.messagesDelivered)}/${count(result.messagesSent)}`),
    payload('bytes moved by its DMA', ({ counts }) => count(counts.bytes)),
    payload('payload mismatches', ({ result }) => zero(result.payloadMismatches)),
    ...COUNTED.map(([what, board, qemu]): Cell[] => [
      what,
      ...runs.flatMap(({ result, counts }): Cell[] => {
        const expected = board(result)
        const text = count(counts[qemu])
        return [count(expected), expected === counts[qemu] ? text : { text, tone: 'bad' }]
      }),
    ]),
    payload('pages zeroed by its DMA', ({ counts }) => count(counts.filledPages)),
    payload('pages copied by a core', ({ counts }) => count(counts.copiedPages)),
  ]
  const seconds = runs.reduce((sum, { wallMs }) => sum + wallMs, 0) / 1000
  return [
    `${paint(simulatedHeading(title, scenario), 'strong')}\n`,
    renderTable([head, ...rows], paint),
    `\nTimes are the simulated board's; what they count is done by ${version}, in ${seconds.toFixed(1)} s.\n`,
    'Each payload is made by a guest there and hashed at both ends by guests there.\n\n',
    assumptionLines(assumptions, paint),
  ].join('')
}

function zero(value: number): Cell {
  return value === 0 ? '0' : { text: count(value), tone: 'bad' }
}
