/** Arguments to commands, and everything that can go wrong to an exit code and a sentence on stderr. */
import { cac } from 'cac'
import { VirtioError } from '../internal/error.ts'
import { oneOf } from '../internal/suggest.ts'
import { analyzeCommand } from './analyze-command.ts'
import { DEFAULT_OUT, type EvaluationParts, evaluateCommand } from './evaluate/evaluate-command.ts'
import { mergeCommand } from './evaluate/merge-command.ts'
import { calibrationCommand, platformCommand } from './platform-command.ts'
import { simulateCommand } from './simulate-command.ts'
import type { Simulator } from './simulator.ts'
import { EXIT_INTERNAL, EXIT_OK, EXIT_USAGE, type Terminal, UsageError } from './terminal.ts'
import { fuzzCommand } from './testing/fuzz-command.ts'
import { museumCommand } from './testing/museum-command.ts'

export interface CliParts {
  readonly terminal: Terminal
  readonly version: string
  /** What runs when no scenario is named. */
  readonly defaultScenario: string
  readonly simulator: Simulator
  readonly evaluation: EvaluationParts
}

/** Runs the command line `args` (without node and script) to its exit code; throws nothing. */
export async function runCli(args: readonly string[], parts: CliParts): Promise<number> {
  try {
    return await dispatch(args, parts)
  } catch (error) {
    const { exitCode, message } = explain(error)
    parts.terminal.stderr.write(`${message}\n`)
    return exitCode
  }
}

async function dispatch(args: readonly string[], parts: CliParts): Promise<number> {
  const cli = cac('virtio-sdk')
  cli
    .command('simulate [scenario]', 'Run the flows of a scenario through both brokers, and compare')
    .option('--json', 'Print one JSON object')
    .option('--seed <number>', 'Seed, instead of the one in the scenario')
    .option('--duration <time>', 'Simulated time, e.g. 100ms, instead of the one in the scenario')
    .option('--design <design>', 'both, floating or dedicated (default: both)')
    .option('--platform <name>', 'Board, instead of the one in the scenario: a name, or file:PATH')
    .option('--calibration <file>', 'Measured costs, instead of those of the board')
    .option('--payload <file>', 'FLOW=FILE or, for all flows, FILE: bytes to send; may be repeated')
    .option('--out <folder>', 'Write every delivered payload to FOLDER/DESIGN/FLOW/SEQUENCE.bin')
    .option('--trace <file>', 'Write a Chrome trace, to open in https://ui.perfetto.dev')
    .option('--quiet', 'No table and no progress; the exit code tells')
    .example('  $ virtio-sdk simulate')
    .example('  $ virtio-sdk simulate my.yaml --payload frames=video.raw --out received --trace run.json')
    .action((scenario: string | undefined, flags) =>
      simulateCommand(scenario ?? parts.defaultScenario, flags, parts.terminal, parts.simulator),
    )
  cli
    .command('analyze [scenario]', 'Bound the response times of a scenario, without simulating it')
    .option('--json', 'Print one JSON object')
    .option('--design <design>', 'floating or dedicated, instead of the placement in the scenario')
    .option('--scheduler <scheduler>', 'fp or edf, instead of the one in the scenario')
    .option('--priorities <how>', 'Under fixed priority: dm, optimal, or levels=G')
    .option('--platform <name>', 'Board, instead of the one in the scenario: a name, or file:PATH')
    .option('--calibration <file>', 'Measured costs, instead of those of the board')
    .option('--quiet', 'No tables; the exit code tells')
    .example('  $ virtio-sdk analyze my.yaml --scheduler fp --priorities optimal')
    .action((scenario: string | undefined, flags) =>
      analyzeCommand(scenario ?? parts.defaultScenario, flags, parts.terminal),
    )
  cli
    .command('platform [action] [name]', 'list: the boards there are; show NAME: one as a file to copy and edit')
    .option('--json', 'Print JSON')
    .example('  $ virtio-sdk platform show zcu102 > my-board.yaml')
    .action((action: string | undefined, name: string | undefined, flags) =>
      platformCommand(action, name, flags, parts.terminal),
    )
  cli
    .command('calibration [action]', 'template: a file to fill in with the costs that you measured on a board')
    .option('--platform <name>', 'Board: a name, or file:PATH (default: zcu102)')
    .example('  $ virtio-sdk calibration template --platform rpi4 > measured.yaml')
    .action((action: string | undefined, flags) => calibrationCommand(action, flags, parts.terminal))
  cli
    .command('evaluate', 'Run a campaign over random flow sets: data, summaries and a report')
    .option('--points <number>', 'Utilisations of a curve (default: 20)')
    .option('--sets <number>', 'Flow sets at each (default: 1000)')
    .option('--seed <number>', 'Seed of all that is drawn (default: 1)')
    .option('--platform <name>', 'Board whose costs count: a name, or file:PATH (default: zcu102)')
    .option('--calibration <file>', 'Measured costs, instead of those of the board')
    .option('--jobs <number>', 'Threads (default: one a core)')
    .option('--out <folder>', `Where to write (default: ${DEFAULT_OUT})`)
    .option('--only <experiments>', 'Names of experiments, with commas (default: all)')
    .option('--shard <i/n>', 'Only the i-th of n parts, to be merged')
    .option('--resume', 'Go on where an interrupted run of the same campaign stopped')
    .option('--quiet', 'No figures and no progress; the exit code tells')
    .example('  $ virtio-sdk evaluate --points 10 --sets 100 --out quick')
    .action((flags) => evaluateCommand(flags, parts.terminal, parts.version, parts.evaluation, args))
  cli
    .command('merge [...folders]', 'Put the shards of a campaign together')
    .option('--out <folder>', 'Where to write')
    .option('--quiet', 'No figures; the exit code tells')
    .example('  $ virtio-sdk merge shard-* --out merged')
    .action((folders: string[], flags) =>
      mergeCommand(folders.map(String), flags, parts.terminal, parts.version, parts.evaluation.renderReport),
    )
  cli
    .command('museum', 'Show 40 historic faults of virtqueues to yours')
    .option(
      '--target <module>',
      'Module that exports a target of the testing kit, or exec:COMMAND, exec-packed:COMMAND',
    )
    .option('--exhibit <numbers>', 'Only these, e.g. 4,10,17')
    .option('--json', 'Print JSON')
    .option('--junit <file>', 'Write JUnit XML, for a build server')
    .example('  $ virtio-sdk museum --target ./my-queue.js')
    .action((flags) => museumCommand(flags, parts.terminal))
  cli
    .command('fuzz', 'Random programs and hostile rings against your virtqueue')
    .option(
      '--target <module>',
      'Module that exports a target of the testing kit, or exec:COMMAND, exec-packed:COMMAND',
    )
    .option('--seed <number>', 'Default 1; the same seed tries the same')
    .option('--runs <number>', 'End after at least so many programs and rings')
    .option('--time <time>', 'End after so long, e.g. 300s (default: 5s)')
    .option('--corpus <folder>', 'Replay what failed before, and keep what fails now')
    .example('  $ virtio-sdk fuzz --target ./my-queue.js --time 60s --corpus corpus')
    .action((flags) => fuzzCommand(flags, parts.terminal))
  cli.help((sections) => [...sections, { title: 'Exit codes', body: EXIT_CODES }])
  cli.version(parts.version)
  cli.parse(['node', 'virtio-sdk', ...withNegativeValues(args)], { run: false })
  if (cli.options.help || cli.options.version) return EXIT_OK
  if (!cli.matchedCommand) {
    const [command] = cli.args
    if (command !== undefined) {
      throw new UsageError(
        `there is no command ${command}; ${oneOf(
          command,
          cli.commands.map(({ name }) => name),
        )}`,
      )
    }
    cli.outputHelp()
    return EXIT_USAGE
  }
  return await cli.runMatchedCommand()
}

/** `--sets -1` as `--sets=-1`: the parser takes what begins with a dash for an option, and the option's own error says more. */
function withNegativeValues(args: readonly string[]): string[] {
  const joined: string[] = []
  for (const arg of args) {
    const option = joined.at(-1)
    if (/^-\d/.test(arg) && option?.startsWith('--') && !option.includes('=')) joined.splice(-1, 1, `${option}=${arg}`)
    else joined.push(arg)
  }
  return joined
}

const EXIT_CODES = `  0  fine
  1  a payload arrived changed, a guest broke the rules, a bound was exceeded, a queue failed, or a
     deadline is not shown to be met
  2  the command line or a file is wrong
  3  a mistake in virtio-sdk itself
  130  interrupted`

function explain(error: unknown): { exitCode: number; message: string } {
  if (error instanceof Error && speaksForItself(error)) return { exitCode: EXIT_USAGE, message: error.message }
  const details = error instanceof Error ? error.stack : String(error)
  return { exitCode: EXIT_INTERNAL, message: `internal error, please report it: ${details}` }
}

/** The user's, the argument parser's, or the file system's error: the message says enough, a stack would not help. */
function speaksForItself(error: Error): boolean {
  return error instanceof UsageError || error instanceof VirtioError || error.name === 'CACError' || 'syscall' in error
}
