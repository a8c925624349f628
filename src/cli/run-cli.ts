/** Arguments to commands, and everything that can go wrong to an exit code and a sentence on stderr. */
import { type CAC, cac } from 'cac'
import { VirtioError } from '../internal/error.ts'
import { oneOf } from '../internal/suggest.ts'
import type { EvaluationParts } from './evaluate/evaluate-command.ts'
import { isRefusal, reasonOf } from './file-error.ts'
import { mistakeInOptions, numbersOf, protectedArgs, unprotected } from './raw-args.ts'
import type { Simulator } from './simulator.ts'
import { EXIT_INTERNAL, EXIT_OK, EXIT_USAGE, guarded, type Terminal, UsageError } from './terminal.ts'

/** What is imported only where a command needs it: `--help` is to be quick. */
type Lazy<T> = T | (() => Promise<T>)

export interface CliParts {
  readonly terminal: Terminal
  readonly version: string
  /** What runs when no scenario is named. */
  readonly defaultScenario: string
  /** Sources of what runs on QEMU. */
  readonly agentFolder: string
  readonly simulator: Lazy<Simulator>
  readonly evaluation: Lazy<EvaluationParts>
  /** The built script of pages (src/page/script), which draws their figures. */
  readonly pageScript: () => string
}

/** Runs the command line `args` (without node and script) to its exit code; throws nothing. */
export async function runCli(args: readonly string[], parts: CliParts): Promise<number> {
  const terminal = guarded(parts.terminal)
  try {
    return await dispatch(args, { ...parts, terminal })
  } catch (error) {
    const { exitCode, message } = explain(error)
    terminal.stderr.write(`${message}\n`)
    return exitCode
  }
}

function loaded<T extends object>(part: Lazy<T>): T | Promise<T> {
  return typeof part === 'function' ? part() : part
}

async function dispatch(args: readonly string[], parts: CliParts): Promise<number> {
  const cli = cac('virtio-sdk')
  cli
    .command('simulate [scenario]', 'Run the flows of a scenario through both brokers, and compare')
    .option('--json', 'Print one JSON object')
    .option('--on <machine>', 'board, or qemu: QEMU does what the board decides, and counts it (default: board)')
    .option('--seed <number>', 'Seed, instead of the one in the scenario')
    .option('--duration <time>', 'Simulated time, e.g. 100ms, instead of the one in the scenario')
    .option('--design <design>', 'both, floating or dedicated (default: both)')
    .option('--platform <name>', 'Board, instead of the one in the scenario: a name, or file:PATH')
    .option('--calibration <file>', 'Measured costs, instead of those of the board')
    .option('--set <change>', 'PATH=VALUE over the scenario, e.g. flows.log.length=64KiB; may be repeated')
    .option('--payload <file>', 'FLOW=FILE or, for all flows, FILE: bytes to send; may be repeated')
    .option('--out <folder>', 'Write every delivered payload to FOLDER/DESIGN/FLOW/SEQUENCE.bin')
    .option('--trace <file>', 'Write a Chrome trace, to open in https://ui.perfetto.dev')
    .option('--html <file>', 'Write one page with verdicts, figures and all tables')
    .option('--worst', 'Search for the longest response of each flow, instead of one run')
    .option('--runs <number>', 'With --worst: runs of the machine, for each design (default: 100)')
    .option('--seconds <number>', 'With --worst: search for so long instead, for each design')
    .option('--flow <name>', 'With --worst: the flow whose run --trace shows (default: nearest to its bound)')
    .option('--quiet', 'No table and no progress; the exit code tells')
    .example('  $ virtio-sdk simulate')
    .example('  $ virtio-sdk simulate my.yaml --worst --seconds 60 --trace worst.json')
    .example('  $ virtio-sdk simulate my.yaml --payload frames=video.raw --out received --trace run.json')
    .action(async (scenario: string | undefined, flags) => {
      if (flags.on !== undefined && flags.on !== 'board') {
        const { qemuCommand } = await import('./qemu-command.ts')
        return qemuCommand(scenario ?? parts.defaultScenario, flags, parts.terminal, parts.agentFolder)
      }
      const [{ simulateCommand }, simulator] = [await import('./simulate-command.ts'), await loaded(parts.simulator)]
      return simulateCommand(scenario ?? parts.defaultScenario, flags, parts.terminal, simulator, parts)
    })
  cli
    .command('analyze [scenario]', 'Bound the response times of a scenario, without simulating it')
    .option('--json', 'Print one JSON object')
    .option('--design <design>', 'floating or dedicated, instead of the placement in the scenario')
    .option('--scheduler <scheduler>', 'fp or edf, instead of the one in the scenario')
    .option('--priorities <how>', 'Under fixed priority: dm, optimal, or levels=G')
    .option('--html <file>', 'Write one page with verdicts, figures and all tables')
    .option('--platform <name>', 'Board, instead of the one in the scenario: a name, or file:PATH')
    .option('--calibration <file>', 'Measured costs, instead of those of the board')
    .option('--set <change>', 'PATH=VALUE over the scenario, e.g. flows.log.length=64KiB; may be repeated')
    .option('--quiet', 'No tables; the exit code tells')
    .example('  $ virtio-sdk analyze my.yaml --scheduler fp --priorities optimal')
    .action(async (scenario: string | undefined, flags) => {
      const { analyzeCommand } = await import('./analyze-command.ts')
      return analyzeCommand(scenario ?? parts.defaultScenario, flags, parts.terminal, parts)
    })
  cli
    .command('compare [...scenarios]', 'Two scenarios side by side: bounds, and a simulated run of each')
    .option('--set <change>', 'PATH=VALUE over the second, or over a copy of the only one; may be repeated')
    .option('--html <file>', 'Write one page with verdicts, figures and all tables')
    .option('--platform <name>', 'Board, instead of those in the scenarios: a name, or file:PATH')
    .option('--calibration <file>', 'Measured costs, instead of those of the board')
    .option('--json', 'Print one JSON object')
    .example('  $ virtio-sdk compare my.yaml other.yaml')
    .example('  $ virtio-sdk compare my.yaml --set broker.placement=dedicated')
    .action(async (scenarios: string[], flags) => {
      const [{ compareCommand }, simulator] = [await import('./compare-command.ts'), await loaded(parts.simulator)]
      return compareCommand(scenarios, flags, parts.terminal, simulator, parts)
    })
  cli
    .command('fit [releases]', 'From a CSV file of releases to the period, jitter and length of a flow')
    .option('--json', 'Print one JSON object')
    .example('  $ virtio-sdk fit releases.csv')
    .action(async (releases: string | undefined, flags) => {
      const { fitCommand } = await import('./fit-command.ts')
      return fitCommand(releases, flags, parts.terminal)
    })
  cli
    .command('sweep [scenario]', 'Bounds over a range of one value of a scenario, as a chart')
    .option('--set <change>', 'PATH=FROM..TO, e.g. flows.log.length=4KiB..1MiB; others may be PATH=VALUE')
    .option('--steps <number>', 'Values in the range (default: 9)')
    .option('--design <design>', 'floating or dedicated, instead of the placement in the scenario')
    .option('--platform <name>', 'Board, instead of the one in the scenario: a name, or file:PATH')
    .option('--calibration <file>', 'Measured costs, instead of those of the board')
    .option('--json', 'Print one JSON object')
    .example('  $ virtio-sdk sweep my.yaml --set flows.log.length=4KiB..1MiB --steps 9')
    .action(async (scenario: string | undefined, flags) => {
      const { sweepCommand } = await import('./sweep-command.ts')
      return sweepCommand(scenario ?? parts.defaultScenario, flags, parts.terminal)
    })
  cli
    .command('platform [action] [name]', 'list: the boards there are; show NAME: one as a file to copy and edit')
    .option('--json', 'Print JSON')
    .example('  $ virtio-sdk platform show zcu102 > my-board.yaml')
    .action(async (action: string | undefined, name: string | undefined, flags) => {
      const { platformCommand } = await import('./platform-command.ts')
      return platformCommand(action, name, flags, parts.terminal)
    })
  cli
    .command('calibration [action]', 'template: a file to fill in with the costs that you measured on a board')
    .option('--platform <name>', 'Board: a name, or file:PATH (default: zcu102)')
    .example('  $ virtio-sdk calibration template --platform rpi4 > measured.yaml')
    .action(async (action: string | undefined, flags) => {
      const { calibrationCommand } = await import('./platform-command.ts')
      return calibrationCommand(action, flags, parts.terminal)
    })
  cli
    .command(
      'jailhouse [...words]',
      'A scenario as configuration files of Jailhouse on a ZCU102; show FILES: such files in words, and their faults',
    )
    .option('--out <folder>', 'Where to write (default: cells)')
    .option('--coloring', 'RAM of page colours, in the layout of the branch that has them')
    .option('--smmu', "The SMMU is the hypervisor's; not for QEMU, which has none")
    .option('--json', 'With show: print one JSON object')
    .example('  $ virtio-sdk jailhouse my.yaml --out cells')
    .example('  $ virtio-sdk jailhouse show cells/*.cell')
    .action(async (words: string[], flags) => {
      const { jailhouseCommand } = await import('./jailhouse-command.ts')
      return jailhouseCommand(words, flags, parts.terminal, parts.defaultScenario)
    })
  cli
    .command('linux', 'Two Linux guests in the emulator v86, and bytes from one to the other through the broker')
    .option('--bytes <size>', 'What the first sends the second: a multiple of 64KiB up to 16MiB (default: 1MiB)')
    .option('--design <design>', 'both, floating or dedicated (default: both)')
    .option('--cache <folder>', "Where kernel, root file system and BIOS are kept (default: the user's cache)")
    .option('--json', 'Print one JSON object')
    .option('--quiet', 'No table and no progress; the exit code tells')
    .example('  $ virtio-sdk linux --bytes 4MiB')
    .action(async (flags) => {
      const { linuxCommand } = await import('./linux-command.ts')
      return linuxCommand(flags, parts.terminal)
    })
  cli
    .command('evaluate', 'Run a campaign over random flow sets: data, summaries and a report')
    .option('--points <number>', 'Utilisations of a curve (default: 20)')
    .option('--sets <number>', 'Flow sets at each (default: 1000)')
    .option('--seed <number>', 'Seed of all that is drawn (default: 1)')
    .option('--platform <name>', 'Board whose costs count: a name, or file:PATH (default: zcu102)')
    .option('--calibration <file>', 'Measured costs, instead of those of the board')
    .option('--jobs <number>', 'Threads (default: one a core)')
    .option('--out <folder>', `Where to write (default: evaluation-results)`)
    .option('--only <experiments>', 'Names of experiments, with commas (default: all)')
    .option('--shard <i/n>', 'Only the i-th of n parts, to be merged')
    .option('--resume', 'Go on where an interrupted run of the same campaign stopped')
    .option('--quiet', 'No figures and no progress; the exit code tells')
    .example('  $ virtio-sdk evaluate --points 10 --sets 100 --out quick')
    .action(async (flags) => {
      const [{ evaluateCommand }, evaluation] = [
        await import('./evaluate/evaluate-command.ts'),
        await loaded(parts.evaluation),
      ]
      return evaluateCommand(flags, parts.terminal, parts.version, evaluation, args)
    })
  cli
    .command('merge [...folders]', 'Put the shards of a campaign together')
    .option('--out <folder>', 'Where to write')
    .option('--quiet', 'No figures; the exit code tells')
    .example('  $ virtio-sdk merge shard-* --out merged')
    .action(async (folders: string[], flags) => {
      const [{ mergeCommand }, { renderReport }] = [
        await import('./evaluate/merge-command.ts'),
        await loaded(parts.evaluation),
      ]
      return mergeCommand(folders, flags, parts.terminal, parts.version, renderReport)
    })
  cli
    .command('museum', 'Show the historic faults of virtqueues to yours, and small exchanges in every order')
    .option(
      '--target <module>',
      'Module that exports a target of the testing kit, or exec:COMMAND, exec-packed:COMMAND',
    )
    .option('--exhibit <numbers>', 'Only these, e.g. 4,10,17')
    .option('--json', 'Print JSON')
    .option('--junit <file>', 'Write JUnit XML, for a build server')
    .option('--replay <code>', 'Show once more what failed: a number, or the code that stands behind replay:')
    .example('  $ virtio-sdk museum --target ./my-queue.js')
    .action(async (flags) => {
      const { museumCommand } = await import('./testing/museum-command.ts')
      return museumCommand(flags, parts.terminal)
    })
  cli
    .command('fuzz', 'Random programs and hostile rings against your virtqueue')
    .option(
      '--target <module>',
      'Module that exports a target of the testing kit, or exec:COMMAND, exec-packed:COMMAND',
    )
    .option('--seed <number>', 'Default 1; the same seed tries the same')
    .option('--runs <number>', 'End after at least so many programs and rings')
    .option('--time <time>', 'End after so long, e.g. 300s (default: 5s)')
    .option(
      '--corpus <folder>',
      'Replay what failed before, and keep what fails now; more of them are merged into the first',
    )
    .option('--keep-going', 'Go on behind a failure until the time is over, and tell one of each kind')
    .option('--json', 'Print JSON')
    .example('  $ virtio-sdk fuzz --target ./my-queue.js --time 60s --corpus corpus')
    .action(async (flags) => {
      const { fuzzCommand } = await import('./testing/fuzz-command.ts')
      return fuzzCommand(flags, parts.terminal)
    })
  cli.help((sections) => [...sections, { title: 'Exit codes', body: EXIT_CODES }])
  cli.version(parts.version)
  const mistake = mistakeInOptions(
    args,
    [cli.globalCommand, ...cli.commands].flatMap(({ options }) => options),
  )
  if (mistake !== null) throw new UsageError(mistake)
  parseRaw(cli, args)
  // The parser tells it only where no command stands before.
  if (cli.options.version && cli.matchedCommandName !== undefined) cli.outputVersion()
  if (cli.options.help || cli.options.version) return EXIT_OK
  if (!cli.matchedCommand) {
    const [command] = cli.args
    if (command !== undefined) throw new UsageError(noCommand(command, cli))
    cli.outputHelp()
    return EXIT_USAGE
  }
  return await cli.runMatchedCommand()
}

function noCommand(written: string, cli: CAC): string {
  const names = cli.commands.map(({ name }) => name)
  if (names.includes(written)) return `${written} stands behind --, where nothing is a command; write it before`
  return `there is no command ${written || "''"}; ${oneOf(written, names)}`
}

/** Fills in the arguments and options as they were written: only what an option calls a number becomes one. */
function parseRaw(cli: CAC, args: readonly string[]): void {
  cli.parse(['node', 'virtio-sdk', ...protectedArgs(args)], { run: false })
  // What stands behind `--` is no option, whatever it looks like.
  cli.args = [...cli.args, ...(cli.options['--'] as string[])].map((arg) => String(unprotected(arg)))
  const numbers = new Set(
    cli.commands.flatMap(({ options }) =>
      options.filter(({ rawName }) => rawName.endsWith('<number>')).map(({ name }) => name),
    ),
  )
  for (const [name, value] of Object.entries(cli.options)) {
    cli.options[name] = numbers.has(name) ? numbersOf(unprotected(value)) : unprotected(value)
  }
}

const EXIT_CODES = `  0  fine
  1  a payload arrived changed, a guest broke the rules, a bound was exceeded, a queue failed, or a
     deadline is not shown to be met
  2  the command line or a file is wrong
  3  a mistake in virtio-sdk itself
  130  interrupted`

/** An exit code and a sentence for what was thrown. */
export function explain(error: unknown): { exitCode: number; message: string } {
  if (isRefusal(error)) {
    const what = error.path === undefined ? '' : `${error.path}: `
    return { exitCode: EXIT_USAGE, message: what + reasonOf(error) }
  }
  if (error instanceof Error && speaksForItself(error))
    return { exitCode: EXIT_USAGE, message: shortened(error.message) }
  const details = error instanceof Error ? error.stack : String(error)
  return { exitCode: EXIT_INTERNAL, message: `internal error, please report it: ${details}` }
}

/** The user's or the argument parser's error: the message says enough, a stack would not help. */
function speaksForItself(error: Error): boolean {
  return error instanceof UsageError || error instanceof VirtioError || error.name === 'CACError'
}

const MOST_LINES = 20

/** A file may have any number of mistakes; who mends the first sees the next. */
function shortened(message: string): string {
  const lines = message.split('\n')
  const more = lines.length - MOST_LINES
  return more > 0 ? [...lines.slice(0, MOST_LINES), `and ${more} more lines`].join('\n') : message
}
