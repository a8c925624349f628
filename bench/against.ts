/**
 * Modules of this working tree and of another commit, loaded into one process: for suites that compare the two in turns, so that both
 * see the same machine.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build } from 'esbuild'

/** What `entry`, the text of a module, exports when `./` is the root of the working tree; `name` is that of the file in `out/`. */
export async function ofWorkingTree<Side>(entry: string, name: string): Promise<Side> {
  return bundle<Side>(entry, '.', name)
}

/** The same of `commit`, from a temporary worktree. Throws where git does not know it. */
export async function ofCommit<Side>(entry: string, name: string, commit: string): Promise<Side> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-against-'))
  try {
    execFileSync('git', ['worktree', 'add', '--quiet', '--detach', '--force', folder, commit])
    return await bundle<Side>(entry, folder, `${name}-${commit.replaceAll(/\W/g, '-')}`)
  } finally {
    rmSync(folder, { recursive: true, force: true })
    execFileSync('git', ['worktree', 'prune'])
  }
}

async function bundle<Side>(entry: string, folder: string, name: string): Promise<Side> {
  const outfile = resolve('out', `${name}.js`)
  mkdirSync('out', { recursive: true })
  await build({
    stdin: { contents: entry, resolveDir: folder, loader: 'ts' },
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    outfile,
    logLevel: 'error',
  })
  return (await import(pathToFileURL(outfile).href)) as Side
}
