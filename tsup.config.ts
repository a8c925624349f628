/**
 * One ESM and one CJS build, an entry a subpath, `splitting` in both: code that two entries share lies in one chunk, so that
 * a class imported from the root and from its subpath is the same class. The command line is ESM only.
 */
import { rmSync } from 'node:fs'
import { defineConfig, type Options } from 'tsup'
import manifest from './package.json' with { type: 'json' }

const subpaths = Object.keys(manifest.exports).filter((path) => path !== '.' && path !== './package.json')
const library: Record<string, string> = { index: 'src/index.ts' }
for (const path of subpaths) library[path.slice(2)] = `src/${path.slice(2)}/index.ts`

// Several builds write into one folder, so none of them may clean it.
const shared: Options = { target: 'node20', splitting: true, clean: false }

rmSync('dist', { recursive: true, force: true })

export default defineConfig([
  {
    ...shared,
    format: 'esm',
    entry: { ...library, cli: 'src/cli/main.ts', 'evaluate-worker': 'src/cli/evaluate/worker.ts' },
  },
  { ...shared, format: 'cjs', entry: library },
  {
    // The script of the evaluation's report: one file with its charting library, to be put into a page.
    entry: { 'report-page': 'src/evaluation/report/page/main.ts' },
    format: 'iife',
    platform: 'browser',
    target: 'es2022',
    noExternal: [/./],
    minify: true,
    clean: false,
    outExtension: () => ({ js: '.js' }),
  },
  {
    ...shared,
    // One pass of the compiler for the declarations of both.
    format: ['esm', 'cjs'],
    entry: library,
    // typed-emitter is types only, but declares rxjs: its types are copied into ours, and nobody installs it.
    dts: { only: true, resolve: ['typed-emitter'], compilerOptions: { ignoreDeprecations: '6.0' } },
  },
])
