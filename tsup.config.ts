/**
 * One ESM and one CJS build, an entry a subpath, `splitting` in both: code that two entries share lies in one chunk, so that
 * a class imported from the root and from its subpath is the same class. The command line is ESM only. The declarations are
 * the compiler's (scripts/declarations.mjs): `npm run build` makes both.
 */
import { readFileSync, rmSync } from 'node:fs'
import { resolve } from 'node:path'
import { defineConfig, type Options } from 'tsup'
import manifest from './package.json' with { type: 'json' }

const subpaths = Object.keys(manifest.exports).filter((path) => path !== '.' && path !== './package.json')
const library: Record<string, string> = { index: 'src/index.ts' }
for (const path of subpaths) library[path.slice(2)] = `src/${path.slice(2)}/index.ts`

// Several builds write into one folder, so none of them may clean it.
const shared: Options = { target: 'node20', splitting: true, clean: false }

/** What the root is made of. */
const CORE = ['memory', 'virtqueue', 'virtio', 'transport'].map((folder) => resolve(`src/${folder}/index.ts`))
/** These need some of it anyway. */
const ON_CORE = [
  'index',
  'memory',
  'virtqueue',
  'virtio',
  'transport',
  'platform',
  'zero-copy',
  'broker',
  'v86',
  'platform-zcu102',
]
const ON_CORE_TOO = ['evaluation', 'testing', 'testing/core', 'node']

/**
 * Puts the core into one chunk. Files share a chunk when the same entries need them; a dozen small chunks come of that, and to
 * import each takes Node a millisecond. Here every entry that needs a part of the core names the whole.
 */
const coreInOneChunk: NonNullable<Options['esbuildPlugins']>[number] = {
  name: 'core-in-one-chunk',
  setup(build) {
    const entries = new Set([...ON_CORE, ...ON_CORE_TOO].map((name) => resolve(library[name]!)))
    build.onLoad({ filter: /index\.ts$/ }, ({ path }) => {
      if (!entries.has(path)) return undefined
      const imports = CORE.filter((file) => file !== path).map((file) => `import ${JSON.stringify(file)}\n`)
      return { contents: `${readFileSync(path, 'utf8')}\n${imports.join('')}`, loader: 'ts' }
    })
  },
}

rmSync('dist', { recursive: true, force: true })

export default defineConfig([
  {
    ...shared,
    format: 'esm',
    esbuildPlugins: [coreInOneChunk],
    esbuildOptions(options) {
      options.logOverride = { 'ignored-bare-import': 'silent' }
    },
    entry: { ...library, cli: 'src/cli/main.ts', 'evaluate-worker': 'src/cli/evaluate/worker.ts' },
  },
  { ...shared, format: 'cjs', entry: library },
  {
    // The script of pages, the evaluation's report among them: one file with its charting library, to be put into a page.
    entry: { 'report-page': 'src/page/script/main.ts' },
    format: 'iife',
    platform: 'browser',
    target: 'es2022',
    noExternal: [/./],
    minify: true,
    clean: false,
    outExtension: () => ({ js: '.js' }),
  },
])
