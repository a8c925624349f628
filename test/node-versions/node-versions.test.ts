/** The packed package under every Node it claims to support; the registry's `node` package provides them. */

import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import manifest from '../../package.json' with { type: 'json' }
import { type ScratchProject, scratchProject } from '../package/scratch-project.ts'

const OLDEST = manifest.engines.node.replace('>=', '')
const VERSIONS = [OLDEST, '22', '24', '26']

let project: ScratchProject
let elsewhere: string
beforeAll(() => {
  project = scratchProject()
  // Away from any project, so that npx asks for nothing but the Node it is told.
  elsewhere = mkdtempSync(join(tmpdir(), 'virtio-sdk-node-'))
})
afterAll(() => {
  project?.remove()
  if (elsewhere) rmSync(elsewhere, { recursive: true, force: true })
})

it.each(VERSIONS)('Node %s: ESM, CJS and the command line', (version) => {
  const node = (...args: string[]) =>
    execFileSync('npx', ['-y', '-p', `node@${version}`, 'node', ...args], {
      cwd: elsewhere,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 200_000,
    })
  expect(node(join(project.folder, 'smoke.mjs'))).toMatch(new RegExp(`^ok v${version}\\b`))
  expect(node(join(project.folder, 'smoke.cjs'))).toMatch(new RegExp(`^ok v${version}\\b`))
  const cli = join(project.folder, 'node_modules/virtio-sdk/dist/cli.js')
  const report = JSON.parse(node(cli, 'simulate', '--duration', '20ms', '--json'))
  expect(report.designs.floating.payloadMismatches).toBe(0)
})
