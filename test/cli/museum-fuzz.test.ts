import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { run as runWith, type Setting } from './fake.ts'

const TARGETS = fileURLToPath(new URL('targets/', import.meta.url))
const run = (args: readonly string[], setting: Setting = {}) => runWith(args, '', setting)
let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'virtio-sdk-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

describe('museum', () => {
  it('shows its exhibits to every target of a module', async () => {
    const { code, stdout, stderr } = await run(['museum', '--target', `${TARGETS}sound.ts`, '--exhibit', '4,42'])
    expect(stderr).toBe('')
    expect(stdout).toContain('reference device\n')
    expect(stdout).toMatch(/^ {3}4 {2}REJECT {2}a chain loops, over one descriptor or two +\d+ reads$/m)
    expect(stdout).toMatch(/reference driver\n.*42/)
    expect(code).toBe(0)
  })

  it('shows packed targets the packed ring', async () => {
    const { code, stdout } = await run(['museum', '--target', `${TARGETS}packed.ts`, '--exhibit', '39,42'])
    expect(stdout).toMatch(/reference packed device\n.*39/)
    expect(stdout).toMatch(/reference packed driver\n.*39/)
    expect(stdout).not.toContain('42')
    expect(code).toBe(0)
  })

  it('says once for each reason what was skipped', async () => {
    const { stdout } = await run(['museum', '--target', `${TARGETS}sound.ts`, '--exhibit', '32,38,39,40'])
    expect(stdout).toMatch(/reference device\n(.*\n)*? {2}32 skipped: the target lacks: concurrency\n/)
    expect(stdout.match(/ {2}38, 39, 40 skipped: the target has a split ring\n/g)?.length).toBe(2)
  })

  it('shows once more what failed, by its number or its code', async () => {
    const args = ['museum', '--target', `${TARGETS}broken.ts`]
    const { results } = JSON.parse((await run([...args, '--exhibit', '10', '--json'])).stdout)[0]
    const again = await run([...args, '--replay', results[0].replay])
    expect(again.code).toBe(1)
    expect(again.stdout).toMatch(/\nFAIL a buffer leaves RAM: .*: took chain 0, which breaks a rule/)
    const sound = await run(['museum', '--target', `${TARGETS}sound.ts`, '--replay', '20'])
    expect(sound.code).toBe(0)
  })

  it.each([
    [['--replay', '999'], 'there is no exhibit 999 for a device queue'],
    [['--replay', '32/asleep'], '32/asleep is no code of an exhibit for a device with a split ring'],
    [['--replay', '10', '--json'], '--replay shows one thing, as text: leave out --json'],
    [['--replay', '10', '--exhibit', '3'], '--replay shows one thing, as text: leave out --exhibit'],
    [['--replay', '10', '--replay', '3'], '--replay takes one code of a report'],
  ])('refuses %j', async (args, message) => {
    expect(await run(['museum', '--target', `${TARGETS}broken.ts`, ...args])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(message),
    })
  })

  it('fits 100 columns', async () => {
    const { stdout } = await run(['museum', '--target', `${TARGETS}broken.ts`, '--exhibit', '1,2,3,4,5,6,10,22,30'])
    const table = stdout.split('\n').filter((line) => /^ {2,14}/.test(line) && !/^ {2}\d+ /.test(line))
    expect(table.length).toBeGreaterThan(10)
    expect(Math.max(...table.map((line) => line.length))).toBeLessThanOrEqual(100)
  })

  it('fails with what was wrong, in JSON and JUnit XML as well', async () => {
    const args = ['museum', '--target', `${TARGETS}broken.ts`, '--exhibit', '10']
    const plain = await run([...args, '--junit', 'junit.xml'], { cwd: folder })
    expect(plain.code).toBe(1)
    expect(plain.stdout).toContain('took chain 0, which breaks a rule')
    expect(readFileSync(join(folder, 'junit.xml'), 'utf8')).toContain('<failure type="FAIL" message="took chain 0')
    const { code, stdout } = await run([...args, '--json'])
    expect(code).toBe(1)
    expect(JSON.parse(stdout)[0].results[0]).toMatchObject({ number: 10, verdict: 'FAIL' })
  })

  it.each([
    [['--target', `${TARGETS}empty.ts`], 'exports no target; export a DeviceQueueTarget'],
    [['--target', './absent.js'], 'there is no module ./absent.js'],
    [['--target', 'node:fs'], 'there is no module node:fs: neither a file nor an installed package'],
    [[], '--target needs the path of a module'],
    [['--target', `${TARGETS}sound.ts`, '--exhibit', 'four'], 'write numbers with commas between'],
    [['--target', `${TARGETS}sound.ts`, '--exhibit', '999'], 'there is no exhibit 999'],
    [['--target', 'exec:'], '--target exec: names no command, e.g. exec:./device'],
  ])('refuses %j', async (args, message) => {
    const { code, stderr } = await run(['museum', ...args])
    expect(stderr).toContain(message)
    expect(code).toBe(2)
  })

  it.each([
    [
      "{ side: 'devise', name: 'mine', create() {} }",
      `exports what is no target: its side is "devise"; it must be "device" or "driver"`,
    ],
    ["{ side: 'device', name: 'mine' }", 'exports what is no target: its create is missing; it must be a function'],
    ["{ side: 'device', create() {} }", 'exports what is no target: its name is missing; it must be a text'],
    ["{ side: 'device', format: 'paked', name: 'mine', create() {} }", 'its format is "paked"; it must be '],
    [
      "{ side: 'driver', lacks: ['inOrder'], name: 'mine', create() {} }",
      'its lacks is ["inOrder"]; it must be a list of eventIdx, indirect, concurrency',
    ],
    ["() => { throw new Error('no licence') }", 'exports the function target, and it threw: Error: no licence'],
  ])('refuses a module with the target %s', async (target, message) => {
    writeFileSync(join(folder, 'target.mjs'), `export const target = ${target}\n`)
    const { code, stderr } = await run(['museum', '--target', './target.mjs'], { cwd: folder })
    expect(stderr).toContain('./target.mjs exports ')
    expect(stderr).toContain(message)
    expect(code).toBe(2)
  })
})

describe('fuzz', () => {
  it('finds nothing in a sound queue, and says how long it looked', async () => {
    const { code, stdout } = await run(['fuzz', '--target', `${TARGETS}sound.ts`, '--runs', '1000', '--seed', '7'])
    expect(stdout).toMatch(/reference device: nothing found in \d+ programs and \d+ hostile rings, seed 7/)
    expect(stdout).toMatch(/reference driver: nothing found/)
    expect(code).toBe(0)
  })

  it('fuzzes packed queues as well', async () => {
    const { code, stdout } = await run(['fuzz', '--target', `${TARGETS}packed.ts`, '--runs', '1000', '--seed', '7'])
    expect(stdout).toMatch(/reference packed device: nothing found in \d+ programs and \d+ hostile rings, seed 7/)
    expect(stdout).toMatch(/reference packed driver: nothing found/)
    expect(code).toBe(0)
  })

  it('goes on behind a failure when told to, and tells one of each kind', async () => {
    const args = ['fuzz', '--target', `${TARGETS}broken.ts`, '--runs', '3000']
    const first = JSON.parse((await run([...args, '--json'])).stdout)
    const all = await run([...args, '--json', '--keep-going'])
    expect(all.code).toBe(1)
    const reports = JSON.parse(all.stdout)
    for (const [i, { findings, files, programs, rings, seed, kept }] of reports.entries()) {
      expect({ seed, kept, files }).toEqual({
        seed: 1,
        kept: { passed: 0, failed: [] },
        files: findings.map(() => null),
      })
      expect(programs + rings).toBeGreaterThanOrEqual(3000)
      expect(findings.length).toBeGreaterThanOrEqual(first[i].findings.length)
      expect(new Set(findings.map(({ message }: { message: string }) => message)).size).toBe(findings.length)
    }
    const times = reports.flatMap(({ findings }: { findings: { times: number }[] }) => findings.map((one) => one.times))
    expect(Math.max(...times)).toBeGreaterThan(1)
    const plain = await run([...args, '--keep-going'])
    expect(plain.stdout).toMatch(/\d+ times the like\nas a corpus file: \{/)
    expect(plain.stdout).toMatch(/: \d+ kinds of failure in \d+ programs and \d+ hostile rings, seed 1, /)
  })

  it('merges corpora into the first, as far as their cases fail still', async () => {
    const find = (corpus: string, seed: string) =>
      run(['fuzz', '--target', `${TARGETS}broken.ts`, '--runs', '3000', '--seed', seed, '--corpus', corpus], {
        cwd: folder,
      })
    await find('one', '1')
    await find('two', '2')
    const [one, two] = ['one', 'two'].map((name) => readdirSync(join(folder, name)))
    const both = ['--corpus', 'one', '--corpus', 'two', '--runs', '1']
    const { code } = await run(['fuzz', '--target', `${TARGETS}broken.ts`, ...both], { cwd: folder })
    expect(code).toBe(1)
    expect(readdirSync(join(folder, 'one'))).toEqual(expect.arrayContaining([...one!, ...two!]))
    expect(readdirSync(join(folder, 'two'))).toEqual(two)
  })

  it('shrinks what it finds, keeps it, and replays it first the next time', async () => {
    const args = ['fuzz', '--target', `${TARGETS}broken.ts`, '--runs', '3000', '--corpus', 'corpus']
    const first = await run(args, { cwd: folder })
    expect(first.code).toBe(1)
    const kept = readdirSync(join(folder, 'corpus'))
    expect(kept.length).toBe(2)
    expect(kept.map((name) => name.split('-')[0]).sort()).toEqual(['hostile', 'program'])
    for (const name of kept) expect(first.stdout).toContain(`kept as ${name}`)
    const program = JSON.parse(
      readFileSync(join(folder, 'corpus', kept.find((name) => name.startsWith('program'))!), 'utf8'),
    )
    expect(program.program.commands.length).toBeLessThanOrEqual(10)

    const sound = await run(['fuzz', '--target', `${TARGETS}sound.ts`, '--runs', '1', '--corpus', 'corpus'], {
      cwd: folder,
    })
    expect(sound.stdout).toContain('reference device: 2 of 2 kept cases pass')
    expect(sound.code).toBe(0)
    const again = await run(args, { cwd: folder })
    expect(again.stdout).toMatch(/\.json FAIL/)
    expect(again.code).toBe(1)
  })

  it.each([
    [['--seed', 'x'], '--seed x: write a whole number'],
    [['--runs', '1.5'], '--runs 1.5: write a whole number'],
    [['--runs', '0'], '--runs 0: write a whole number, 1 or more'],
    [['--seed=-1'], '--seed -1: write a whole number, 0 or more'],
    [['--time', '10'], '--time 10: write a time with its unit'],
    [['--time', 'soon'], '--time soon is not a time; write a number with ns, us, ms or s'],
    [['--time', '0'], '--time 0 tries nothing'],
    [['--corpus'], '--corpus'],
  ])('refuses %j', async (args, message) => {
    const { code, stderr } = await run(['fuzz', '--target', `${TARGETS}sound.ts`, ...args])
    expect(stderr).toContain(message)
    expect(code).toBe(2)
  })

  const ring = { size: 4, eventIdx: false, indirect: false, startIndex: 0, commands: [] }
  it.each([
    ['{ "kind": "program"', 'half.json is no case of a corpus'],
    [JSON.stringify({ kind: 'other' }), 'no case of a corpus: kind is "other"; it must be "program" or "hostile"'],
    [
      JSON.stringify({ kind: 'program', program: { ...ring, size: 3 } }),
      "the program's size is 3; it must be 1 or 2 or 4",
    ],
    [
      JSON.stringify({ kind: 'program', program: { ...ring, commands: [{ op: 'jump' }] } }),
      'command 0: op is "jump"; it must be "add" or ',
    ],
    [
      JSON.stringify({ kind: 'hostile', seed: 1, number: -1, eventIdx: true, indirect: true }),
      'a corpus: number is -1; it must be a whole number, 0 or more',
    ],
  ])('refuses a corpus with the file %s', async (text, message) => {
    writeFileSync(join(folder, 'half.json'), text)
    const { code, stderr } = await run(['fuzz', '--target', `${TARGETS}sound.ts`, '--corpus', folder])
    expect(stderr).toContain(message)
    expect(code).toBe(2)
  })

  it('replays no case of the other ring format', async () => {
    const packed = { kind: 'hostile', seed: 1, number: 1, eventIdx: true, indirect: true, inOrder: false }
    writeFileSync(join(folder, 'packed.json'), JSON.stringify(packed))
    const args = ['--runs', '1', '--corpus', folder]
    const split = await run(['fuzz', '--target', `${TARGETS}sound.ts`, ...args])
    expect(split.stdout).toContain('reference device: 0 of 0 kept cases pass')
    const { stdout } = await run(['fuzz', '--target', `${TARGETS}packed.ts`, ...args])
    expect(stdout).toContain('reference packed device: 1 of 1 kept cases pass')
  })
})
