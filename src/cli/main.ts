#!/usr/bin/env node
/** The executable: binds the command line to this process and to the simulated ZCU102. */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { escapeControls } from './escape.ts'
import { explain, runCli } from './run-cli.ts'
import { StdStream } from './std-stream.ts'
import { EXIT_INTERNAL, EXIT_NEGATIVE, EXIT_OK, EXIT_USAGE } from './terminal.ts'

/** Ctrl-C, and how batch systems ask. */
const STOPS = ['SIGINT', 'SIGTERM'] as const

const root = packageRoot(dirname(fileURLToPath(import.meta.url)))
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }

/** What a process may do by itself before it counts as one that never rests. */
const IDLE_MS = 1_000

/** No `await` at the top: of one that never ends, because code of others never does, Node would speak before we do. */
async function main(): Promise<void> {
  const stdout = new StdStream(process.stdout)
  const stderr = new StdStream(process.stderr)
  const hears: ((error: unknown) => void)[] = []
  const onUncaught = (error: unknown) => {
    const listener = hears.at(-1)
    if (listener !== undefined) return listener(error)
    // Whatever else the command comes to, this is how it ended.
    process.once('exit', () => {
      process.exitCode = EXIT_INTERNAL
    })
    stderr.write(`${escapeControls(explain(error).message)}\n`)
    void stderr.flushed().then(() => process.exit(EXIT_INTERNAL))
  }
  process.on('uncaughtException', onUncaught)
  process.on('unhandledRejection', onUncaught)

  const pageScript = () => readFileSync(join(root, 'dist/report-page.js'), 'utf8')
  const exitCode = await runCli(process.argv.slice(2), {
    version,
    defaultScenario: join(root, 'examples/scenarios/default.yaml'),
    agentFolder: join(root, 'agent'),
    pageScript,
    simulator: () => import('../platform-zcu102/index.ts'),
    async evaluation() {
      const { renderReport } = await import('../evaluation/index.ts')
      return {
        workerFile: join(root, 'dist/evaluate-worker.js'),
        renderReport: (data) => renderReport(data, pageScript()),
      }
    },
    terminal: {
      stdout,
      stderr,
      cwd: process.cwd(),
      env: process.env,
      now: () => performance.now(),
      onInterrupt(listener) {
        for (const signal of STOPS) process.once(signal, listener)
        return () => {
          for (const signal of STOPS) process.off(signal, listener)
        }
      },
      onUncaught(listener) {
        hears.push(listener)
        return () => void hears.splice(hears.indexOf(listener), 1)
      },
      idle,
    },
  })

  // What was to be told and could not be told is lost: that outweighs what it would have said.
  const lost = await stdout.flushed()
  if (lost !== null) stderr.write(`cannot write to stdout: ${lost}\n`)
  await stderr.flushed()
  // Not by itself: code of others may have left something running.
  process.exit(lost !== null && (exitCode === EXIT_OK || exitCode === EXIT_NEGATIVE) ? EXIT_USAGE : exitCode)
}

void main()

function idle(): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      process.off('beforeExit', done)
      resolve()
    }
    const timer = setTimeout(done, IDLE_MS).unref()
    process.once('beforeExit', done)
  })
}

/** The same from the sources and from the build: the nearest folder above with a manifest. */
function packageRoot(folder: string): string {
  return existsSync(join(folder, 'package.json')) ? folder : packageRoot(dirname(folder))
}
