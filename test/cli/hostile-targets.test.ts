/** Targets that end the process, never answer, talk without an end, or are none: each is an error or a failure, soon, and said. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ProcessChannel } from '../../src/cli/testing/process-channel.ts'
import { remoteDevice, runMuseum } from '../../src/testing/index.ts'
import { buildCli, REQUIRE, runProcess } from './built-cli.ts'

let folder: string
let cli: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'virtio-sdk-'))
  cli = await buildCli(folder)
}, 60_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const write = (name: string, text: string) => writeFileSync(join(folder, name), text)
const run = (...args: string[]) => runProcess(cli, args, { cwd: folder })

const QUEUE =
  'side: "device", name: "mine", create: () => ({ complete() {}, publish() {}, wantsNotification: () => true, setNotifications: () => false, reset() {}'
const MODULES: readonly [what: string, code: string, whose: string][] = [
  ['when it is loaded', 'process.exit(0)', './target.mjs'],
  ['in a function for a target', 'export const target = () => process.exit(0)', './target.mjs'],
  [
    'in create',
    'export const target = { side: "device", name: "mine", create: () => process.exit(0) }',
    'the target mine',
  ],
  ['in take', `export const target = { ${QUEUE}, take: () => process.exit(0) }) }`, 'the target mine'],
  ['by an exit code', `export const target = { ${QUEUE}, take: () => process.exit(1) }) }`, 'the target mine'],
  ['never, but is not loaded to its end', 'await new Promise(() => {})', './target.mjs'],
  ['never, but promises a target', 'export const target = () => new Promise(() => {})', './target.mjs'],
]

describe('a module that ends the process', () => {
  it.each(MODULES)('%s', (_, code, whose) => {
    write('target.mjs', code)
    for (const command of [['museum'], ['fuzz', '--runs', '5']]) {
      expect(run(...command, '--target', './target.mjs')).toEqual({
        code: 2,
        stdout: '',
        stderr: `${whose} ended the process, or waits for what never comes; a target has to leave the process alone\n`,
      })
    }
  })
})

/** What the code of a target does behind the back of whoever calls it, and what is said of it. */
const BEHIND: readonly [what: string, code: string, said: string][] = [
  ['throws in a timer', `export const target = { ${QUEUE}, take() { setTimeout(() => { throw ODD }, 1) } }) }`, 'mine'],
  ['rejects a promise', `export const target = { ${QUEUE}, take() { Promise.reject(ODD) } }) }`, 'mine'],
  [
    'throws in a timer after a while',
    `export const target = { ${QUEUE}, take() { setTimeout(() => { throw ODD }, 300) } }) }`,
    'mine',
  ],
  ['throws in a timer while it is loaded', 'setTimeout(() => { throw ODD }, 0); await new Promise(() => {})', ''],
  ['rejects in a function', 'export const target = () => { Promise.reject(ODD); return new Promise(() => {}) }', ''],
]

describe('a module that goes wrong where nobody waits', () => {
  it.each(BEHIND)('%s: a line, escaped, before any result', (_, code, whose) => {
    write('target.mjs', `const ODD = new Error('odd\\x1b[2J\\nand more')\n${code}`)
    const said = whose === '' ? './target.mjs' : `the target ${whose}`
    for (const command of [
      ['museum', '--exhibit', '4', '--json'],
      ['fuzz', '--runs', '5'],
    ]) {
      expect(run(...command, '--target', './target.mjs')).toEqual({
        code: 2,
        stdout: '',
        stderr: `${said} threw where nobody waits for it: Error: odd\\u001b[2J\\u000aand more\n`,
      })
    }
  })

  it.each([
    ['null', 'null'],
    ['what cannot be made a text', '{ toString() { throw 1 } }', '{}'],
  ])('throws %s', (_, thrown, shown = thrown) => {
    for (const code of [`throw ${thrown}`, `export const target = () => { throw ${thrown} }`]) {
      write('target.mjs', code)
      const { code: exit, stdout, stderr } = run('museum', '--target', './target.mjs')
      expect({ exit, stdout }).toEqual({ exit: 2, stdout: '' })
      expect(stderr).toMatch(/^[^\n]+\n$/)
      expect(stderr).toContain(shown)
    }
  })

  it.each([
    ['a getter that throws', '{ get side() { throw new Error("trap") } }', 'Error: trap'],
    ['a proxy that throws', 'new Proxy({}, { get() { throw new Error("trap") } })', 'Error: trap'],
    [
      'a proxy that throws when it is asked for a field',
      'new Proxy({}, { has() { throw new Error("trap") } })',
      'trap',
    ],
    [
      'a proxy that is revoked',
      '(() => { const p = Proxy.revocable({}, {}); p.revoke(); return p.proxy })()',
      'revoked',
    ],
    ['a bigint', '{ side: 1n }', 'side is 1; it must be "device" or "driver"'],
    ['what is no number', '{ side: NaN }', 'side is NaN; it must be'],
    ['a circle', '(() => { const side = {}; side.side = side; return { side } })()', 'side is an object;'],
  ])('exports %s', (_, exported, shown) => {
    for (const code of [`export const target = ${exported}`, `export const target = () => (${exported})`]) {
      write('target.mjs', code)
      const { code: exit, stdout, stderr } = run('museum', '--target', './target.mjs')
      expect({ exit, stdout }).toEqual({ exit: 2, stdout: '' })
      expect(stderr).toMatch(/^\.\/target\.mjs exports [^\n]+\n$/)
      expect(stderr).toContain(shown)
    }
  })

  it('is of another kind than a module: TypeScript is only named where it is TypeScript', () => {
    write('target.yaml', 'a: 1')
    const { code, stderr } = run('museum', '--target', './target.yaml')
    expect(code).toBe(2)
    expect(stderr).toMatch(/^cannot load \.\/target\.yaml: .*Unknown file extension ".yaml"[^\n]*\n$/)
    expect(stderr).not.toContain('TypeScript')
  })

  it('leaves something running: the results come, and the process ends', () => {
    write('target.mjs', `setInterval(() => {}, 1000); export const target = { ${QUEUE}, take: () => null }) }`)
    const { code, stdout } = run('museum', '--exhibit', '4', '--json', '--target', './target.mjs')
    expect(code).toBe(1)
    expect(JSON.parse(stdout)).toMatchObject([{ passed: false }])
  })
})

describe('a module that does not come back', () => {
  /** The command waits ten seconds for each, this one a third of a second. */
  beforeAll(async () => {
    await build({
      stdin: {
        contents: `
          import { loadTargets } from './src/cli/testing/target-module.ts'
          import { settled } from './src/cli/testing/target-guard.ts'
          const output = (stream) => ({ isTTY: false, write: (text) => process[stream].write(text) })
          const terminal = {
            stdout: output('stdout'), stderr: output('stderr'), cwd: process.cwd(), env: {}, now: () => 0,
            idle: () => new Promise((resolve) => setTimeout(resolve, 5_000)),
          }
          const end = (text, code) => { process.stderr.write(text); process.exit(code) }
          try {
            const [target] = await loadTargets('./target.mjs', terminal, 300)
            target.create()
            await settled('the target ' + target.name, terminal, 300)
            end('came back', 0)
          } catch (error) {
            end(error.name + ': ' + error.message + '\\n', 2)
          }`,
        resolveDir: fileURLToPath(new URL('../..', import.meta.url)),
      },
      bundle: true,
      platform: 'node',
      format: 'esm',
      outfile: join(folder, 'load.mjs'),
      banner: { js: REQUIRE },
      logLevel: 'error',
    })
  })

  it.each([
    ['loops while it is loaded', 'for (;;);', './target.mjs'],
    ['loops while it is loaded, and catches everything', 'for (;;) try { for (;;); } catch {}', './target.mjs'],
    ['loops after it has waited', 'await 1; for (;;);', './target.mjs'],
    ['waits, and keeps the process alive', 'setInterval(() => {}, 99); await new Promise(() => {})', './target.mjs'],
    ['loops in a function', 'export const target = () => { for (;;); }', './target.mjs'],
    [
      'loops by itself later',
      'export const target = { side: "device", name: "mine", create() { setTimeout(() => { for (;;); }) } }',
      'the target mine',
    ],
  ])('%s', (_, code, whose) => {
    write('target.mjs', code)
    const { code: exit, stdout, stderr } = runProcess(join(folder, 'load.mjs'), [], { cwd: folder })
    expect({ exit, stdout }).toEqual({ exit: 2, stdout: '' })
    expect(stderr.replace('UsageError: ', '')).toBe(`${whose} is still running after 0.3 s\n`)
  })
})

describe('a target that loops', () => {
  it('is shown no more than three exhibits that it does not leave', () => {
    write('target.mjs', `export const target = { ${QUEUE}, take() { for (;;); } }) }`)
    const { code, stdout } = run('museum', '--target', './target.mjs')
    expect(code).toBe(1)
    expect(stdout.match(/take does not end: still running after 1000 ms\n/g)).toHaveLength(3)
    expect(stdout).toContain('skipped: the target did not end in time 3 times: show this exhibit alone\n')
    expect(run('museum', '--target', './target.mjs', '--exhibit', '10').stdout).toContain('take does not end')
  })
})

describe('a process', () => {
  const COMMANDS: readonly [command: string, why: string | RegExp][] = [
    [
      './nosuch',
      "./nosuch is no target: the target's process has ended with code 127; it has to answer as docs/testing.md says",
    ],
    ['true', "true is no target: the target's process has ended with code 0; it has"],
    ['kill -TERM $$', "kill -TERM $$ is no target: the target's process has ended by SIGTERM; it has"],
    ['/usr/bin/yes', '/usr/bin/yes is no target: the target said "y", which is no line of the protocol; it has'],
    ['yes 1', 'the target said "1", which is no line of the protocol'],
    ['cat /dev/zero', 'cat /dev/zero is no target: the target said a line of more than 4194304 bytes; it has'],
    ['cat', /cat is no target: the target said "create(-packed)? 2/],
  ]
  it.each(COMMANDS)('that is no target is an error at once: %s', (command, why) => {
    for (const format of ['exec', 'exec-packed']) {
      const { code, stdout, stderr } = run('museum', '--target', `${format}:${command}`)
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
      if (typeof why === 'string') expect(stderr).toContain(why)
      else expect(stderr).toMatch(why)
    }
  })

  const talk = (answer: string) =>
    `while read line; do case "$line" in create*) echo "= ok";; *) ${answer};; esac; done`

  it.each([
    ['asks for ever', talk('yes "valid 0 1" | head -c 100000000'), 'take does not end'],
    ['says nothing', talk('sleep 60'), 'take does not end: the target said nothing for 800 ms'],
    ['reads nothing', talk('echo "read 65536 4096"; yes "read 65536 4096"'), /take (?:does not end|threw)/],
  ])('that %s is ended soon', (_, script, message) => {
    write('target.sh', script)
    const channel = new ProcessChannel('sh target.sh', folder)
    try {
      const report = runMuseum(remoteDevice('target.sh', channel), {
        exhibits: [1, 2, 3, 4, 5, 6, 7, 8],
        mostTimeouts: 2,
      })
      expect(report.counts.PASS + report.counts.REJECT).toBe(0)
      expect(report.results.map(({ detail }) => detail).join('\n')).toMatch(message)
    } finally {
      channel.close()
    }
  })

  it('that crashes is started again for the next exhibit', () => {
    write('target.sh', talk('exit 7'))
    const channel = new ProcessChannel('sh target.sh', folder)
    try {
      const { results } = runMuseum(remoteDevice('target.sh', channel), { exhibits: [1, 2, 3] })
      // Each says of a call, not of the creation, that the process ended in it.
      for (const { verdict, detail } of results) {
        expect([verdict, detail]).toEqual(['FAIL', "take: the target's process has ended"])
      }
    } finally {
      channel.close()
    }
  })
})
