/** The command line as a process, built from the sources into a folder of its own. */
import { type StdioOptions, spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, type Metafile } from 'esbuild'

/** What is CommonJS among the dependencies asks for `require`. */
export const REQUIRE = `import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url)`

const src = (path: string) => fileURLToPath(new URL(`../../src/${path}`, import.meta.url))

/** Returns the file to run. Its package is called version 1.2.3; `folder/dist` has the worker of the thread pool as well, and
 * an empty script for the report. */
export async function buildCli(folder: string): Promise<string> {
  await buildCliTold(folder)
  return join(folder, 'dist/cli.js')
}

/** The same, and what the files were made of. */
export async function buildCliTold(folder: string): Promise<Metafile> {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{ "version": "1.2.3", "type": "module" }')
  const { metafile } = await build({
    entryPoints: { cli: src('cli/main.ts'), 'evaluate-worker': src('cli/evaluate/worker.ts') },
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    outdir: join(folder, 'dist'),
    banner: { js: REQUIRE },
    logLevel: 'error',
    metafile: true,
  })
  writeFileSync(join(folder, 'dist/report-page.js'), '')
  return metafile
}

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface ProcessSetting {
  readonly cwd: string
  readonly stdout?: 'pipe' | number
  readonly stderr?: 'pipe' | number
  /** Options of Node itself. */
  readonly node?: readonly string[]
}

/** `stdout` and `stderr` may be descriptors of something else than the pipes that are read here. */
export function runProcess(
  cli: string,
  args: readonly string[],
  { cwd, stdout = 'pipe', stderr = 'pipe', node = [] }: ProcessSetting,
): Ended {
  const stdio: StdioOptions = ['ignore', stdout, stderr]
  const options = { cwd, encoding: 'utf8', stdio, timeout: 120_000 } as const
  const { status, stdout: out, stderr: errors } = spawnSync(process.execPath, [...node, cli, ...args], options)
  return { code: status, stdout: out ?? '', stderr: errors ?? '' }
}
