/**
 * Builds `dist`, unless it holds what the build would make: the same sources made it, and nobody has touched it since. So the
 * build of `npm ci` serves `npm test` and `npx virtio-sdk` as well.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { writeDeclarations } from './declarations.mjs'

process.chdir(fileURLToPath(new URL('..', import.meta.url)))

const INPUTS = [
  'src',
  'scripts',
  'package.json',
  'package-lock.json',
  'tsconfig.json',
  'tsconfig.types.json',
  'tsup.config.ts',
]
const STAMP = 'out/built.json'

/** One hash over the names and the contents of files and folders; what is not there counts too. */
function hashOf(paths) {
  const hash = createHash('sha256')
  for (const path of paths.flatMap(filesIn).sort()) {
    hash.update(JSON.stringify(path)).update(createHash('sha256').update(readFileSync(path)).digest())
  }
  return hash.digest('hex')
}

function filesIn(path) {
  if (!existsSync(path)) return []
  if (!statSync(path).isDirectory()) return [path]
  const entries = readdirSync(path, { withFileTypes: true, recursive: true })
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
}

const inputs = hashOf(INPUTS)
const stamp = () => JSON.stringify({ inputs, dist: hashOf(['dist']) })

if (existsSync('dist') && existsSync(STAMP) && readFileSync(STAMP, 'utf8') === stamp()) {
  console.log('dist is what these sources make')
} else {
  rmSync(STAMP, { force: true })
  // Errors come all the same; the names and sizes of two hundred files would hide them.
  const tsup = ['node_modules/tsup/dist/cli-default.js', '--silent']
  const { status } = spawnSync(process.execPath, tsup, { stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
  const declared = writeDeclarations()
  if (declared !== 0) process.exit(declared)
  console.log(`dist is built, ${readdirSync('dist', { recursive: true }).length} files`)
  mkdirSync('out', { recursive: true })
  writeFileSync(STAMP, stamp())
}
