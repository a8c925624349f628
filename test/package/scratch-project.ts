/** A project that has installed the package as users get it: packed, and unpacked into its `node_modules`. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import manifest from '../../package.json' with { type: 'json' }

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** `virtio-sdk`, `virtio-sdk/virtqueue`, … */
export const ENTRIES = Object.keys(manifest.exports)
  .filter((path) => path !== './package.json')
  .map((path) => path.replace('.', 'virtio-sdk'))

export interface ScratchProject {
  readonly folder: string
  readonly tarball: string
  write(path: string, text: string): string
  /** Runs a program in the project's folder; throws with its output when it fails. Returns its stdout. */
  run(program: string, ...args: string[]): string
  remove(): void
}

/** Packs what `dist` holds now: build first. */
export function scratchProject(): ScratchProject {
  const folder = mkdtempSync(join(tmpdir(), 'virtio-sdk-package-'))
  const run = (program: string, ...args: string[]) =>
    execFileSync(program, args, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: 240_000 })
  const write = (path: string, text: string) => {
    const file = join(folder, path)
    mkdirSync(join(file, '..'), { recursive: true })
    writeFileSync(file, text)
    return file
  }
  run('npm', 'pack', ROOT, '--ignore-scripts', '--pack-destination', folder)
  const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz'))!
  write('package.json', JSON.stringify({ name: 'scratch', private: true, type: 'module' }))
  run('npm', 'install', '--prefer-offline', '--no-audit', '--no-fund', `./${tarball}`)
  // The optional peer of ./testing, and the types of Node, come from here: no second download.
  mkdirSync(join(folder, 'node_modules/@types'), { recursive: true })
  for (const name of ['fast-check', '@types/node']) {
    symlinkSync(join(ROOT, 'node_modules', name), join(folder, 'node_modules', name), 'dir')
  }
  write(
    'smoke.mjs',
    `${CHECK}const modules = {}\nfor (const name of ${ENTRY_LIST}) modules[name] = await import(name)\ncheck(modules)\n`,
  )
  write(
    'smoke.cjs',
    `${CHECK}const modules = {}\nfor (const name of ${ENTRY_LIST}) modules[name] = require(name)\ncheck(modules)\n`,
  )
  return {
    folder,
    tarball: join(folder, tarball),
    write,
    run,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

const ENTRY_LIST = JSON.stringify(ENTRIES)

/** What two entries export under one name must be one thing, or `instanceof` fails for no visible reason. */
const CHECK = `
function check(modules) {
  const seen = new Map()
  let shared = 0
  for (const [entry, exports] of Object.entries(modules)) {
    for (const [name, value] of Object.entries(exports)) {
      if (name === 'default') continue
      const first = seen.get(name)
      if (first === undefined) seen.set(name, { entry, value })
      else if (first.value !== value) throw new Error(name + ' differs between ' + first.entry + ' and ' + entry)
      else if (typeof value === 'function' && first.entry === 'virtio-sdk') shared++
    }
  }
  const { GuestMemory, VirtioError } = modules['virtio-sdk']
  if (shared < 5) throw new Error('the root shares only ' + shared + ' functions with the subpaths')
  let error
  try { new modules['virtio-sdk/memory'].GuestMemory([]).readU8(0) } catch (caught) { error = caught }
  if (!(error instanceof VirtioError)) throw new Error('the error of a subpath is not the root\\'s VirtioError: ' + error)
  if (GuestMemory !== modules['virtio-sdk/memory'].GuestMemory) throw new Error('two GuestMemory')
  console.log('ok ' + process.version)
}
`
