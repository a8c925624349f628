#!/usr/bin/env node
/** The executable: binds the command line to this process and to the simulated ZCU102. */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { renderReport } from '../evaluation/index.ts'
import { assumptionsOf, chromeTrace, predict, simulate } from '../platform-zcu102/index.ts'
import { runCli } from './run-cli.ts'

// `virtio-sdk … | head` closes our stdout: that is no error of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
})

/** Ctrl-C, and how batch systems ask. */
const STOPS = ['SIGINT', 'SIGTERM'] as const

const root = packageRoot(dirname(fileURLToPath(import.meta.url)))
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }

process.exitCode = await runCli(process.argv.slice(2), {
  version,
  defaultScenario: join(root, 'examples/scenarios/default.yaml'),
  simulator: { simulate, predict, chromeTrace, assumptionsOf },
  evaluation: {
    workerFile: join(root, 'dist/evaluate-worker.js'),
    renderReport: (data) => renderReport(data, readFileSync(join(root, 'dist/report-page.js'), 'utf8')),
  },
  terminal: {
    stdout: output(process.stdout),
    stderr: output(process.stderr),
    cwd: process.cwd(),
    env: process.env,
    now: () => performance.now(),
    onInterrupt(listener) {
      for (const signal of STOPS) process.once(signal, listener)
      return () => {
        for (const signal of STOPS) process.off(signal, listener)
      }
    },
  },
})

function output(stream: NodeJS.WriteStream) {
  return { write: (text: string) => void stream.write(text), isTTY: stream.isTTY === true }
}

/** The same from the sources and from the build: the nearest folder above with a manifest. */
function packageRoot(folder: string): string {
  return existsSync(join(folder, 'package.json')) ? folder : packageRoot(dirname(folder))
}
