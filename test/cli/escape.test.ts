/** No text from outside moves the cursor, changes colours or turns the order of a line, whoever wrote it and wherever it is printed. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { escapeControls, oneLine } from '../../src/cli/escape.ts'
import { run, SMALL } from './fake.ts'

/** Clears the screen, in two ways; deletes; turns the line; ends it for some; hides; half a character. */
const HOSTILE = 'x\x1b[2J\x9b2J\x07\x7f\u202eevil\u2066\u200f\u2028\u{e0041}\r'
/** Whatever a terminal obeys, but line feeds. */
const OBEYED = /[^\P{Cc}\n]|\p{Bidi_Control}|[\u2028\u2029]|[\u{e0000}-\u{e007f}]|\p{Cs}/u

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'virtio-sdk-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const write = (name: string, text: string) => writeFileSync(join(folder, name), text)
const cli = (args: readonly string[], tty = false) => run(args, join(folder, 'small.yaml'), { cwd: folder, tty })

describe('a file whose name has a new line', () => {
  it('stays on one line, in the table and in every message', async () => {
    const name = 'two\nlines.yaml'
    write(name, `${SMALL}odd: 1\n`)
    expect((await cli(['analyze', name])).stderr).toMatch(/^two\\u000alines\.yaml:\d+:1 odd: unknown key; [^\n]+\n$/)
    expect((await cli(['analyze', `no ${name}`])).stderr).toMatch(
      /^cannot read the scenario no two\\u000alines[^\n]+\n$/,
    )
    const trace = ['simulate', '--design', 'floating', '--trace', 'small.yaml/two\nlines/run.json']
    write('small.yaml', SMALL)
    expect((await cli(trace)).stderr).toMatch(/^cannot write [^\n]*two\\u000alines[^\n]*\n$/)
    write(name, SMALL)
    for (const command of ['analyze', 'simulate']) {
      expect((await cli([command, name])).stdout).toMatch(/^two\\u000alines\.yaml: 2 VMs, 2 flows/)
    }
  })
})

describe('escapeControls', () => {
  it('writes what a terminal obeys as JSON would, and leaves all else', () => {
    expect(escapeControls('a\x1b[31mb')).toBe('a\\u001b[31mb')
    expect(escapeControls('\x9b \x85 \x00 \r')).toBe('\\u009b \\u0085 \\u0000 \\u000d')
    expect(escapeControls('\u202e \u2066 \u061c \ufeff')).toBe('\\u202e \\u2066 \\u061c \\ufeff')
    expect(escapeControls('\u{e0041}\ud800')).toBe('\\udb40\\udc41\\ud800')
    const fine = 'naïve 表 🙂 سلام µs\n\ttab'
    expect(escapeControls(fine)).toBe(fine)
    expect(oneLine('a\nb\tc')).toBe('a\\u000ab\\u0009c')
  })

  it('leaves JSON the same value', () => {
    const value = { [HOSTILE]: HOSTILE }
    expect(JSON.parse(escapeControls(JSON.stringify(value, null, 2)))).toEqual(value)
  })
})

const CALIBRATION = `board: zcu102
by: ${JSON.stringify(HOSTILE)}
date: 2000-01-01
method: ${JSON.stringify(`${HOSTILE}\nAll deadlines are met`)}
costsNs: { pick: [0, 90, 900] }
`
const TARGET = `const name = ${JSON.stringify(`${HOSTILE}\nPASS`)}
const fail = () => { throw new Error(name) }
export const target = { side: 'device', name, create: () => ({ take: fail, complete: fail }) }
`

/** Every kind of text from outside, and each way in which it comes out. */
const CASES: readonly [what: string, args: readonly string[], code: number][] = [
  ['an unknown key', ['simulate', 'keys.yaml'], 2],
  ['an unknown key, analysed', ['analyze', 'keys.yaml'], 2],
  ['a value', ['simulate', 'value.yaml'], 2],
  ['the name of a file', ['simulate', `absent ${HOSTILE}.yaml`], 2],
  ['the title of a report', ['simulate', `${HOSTILE}.yaml`], 0],
  ['the method of a calibration, analysed', ['analyze', '--calibration', 'c.yaml'], 0],
  ['the method of a calibration, as JSON', ['analyze', '--json', '--calibration', 'c.yaml'], 0],
  ['the title of a board', ['platform', 'show', 'file:board.yaml'], 0],
  ['the title of a board, as JSON', ['platform', 'show', '--json', 'file:board.yaml'], 0],
  ['the name of a board', ['platform', 'show', HOSTILE], 2],
  ['the name of a command', [HOSTILE], 2],
  ['an option', ['simulate', `--${HOSTILE}`], 2],
  ['a folder to merge', ['merge', HOSTILE, '--out', 'merged'], 2],
  ['an experiment', ['evaluate', '--only', HOSTILE], 2],
  ['the name of a target, and its error', ['museum', '--target', './target.mjs', '--exhibit', '2,4'], 1],
  ['the name of a target, as JSON', ['museum', '--target', './target.mjs', '--exhibit', '2,4', '--json'], 1],
  ['the name of a target that is fuzzed', ['fuzz', '--target', './target.mjs', '--runs', '1'], 1],
  ['a case of a corpus', ['fuzz', '--target', './target.mjs', '--runs', '1', '--corpus', '.'], 2],
]

describe('what comes out', () => {
  beforeAll(async () => {
    write('small.yaml', SMALL)
    write(`${HOSTILE}.yaml`, SMALL)
    write('keys.yaml', `${SMALL}${JSON.stringify(`${HOSTILE}\nAll deadlines are met`)}: 1\n`)
    write('value.yaml', SMALL.replace('cid: 4', `cid: ${JSON.stringify(HOSTILE)}`))
    write('c.yaml', CALIBRATION)
    write('target.mjs', TARGET)
    write('case.json', JSON.stringify({ kind: HOSTILE }))
    const { stdout } = await cli(['platform', 'show', 'zcu102'])
    write('board.yaml', stdout.replace(/^title: .*$/m, `title: ${JSON.stringify(HOSTILE)}`))
  })

  it.each(CASES)('%s', async (_, args, code) => {
    for (const tty of [false, true]) {
      const { code: ended, stdout, stderr } = await cli(args, tty)
      expect(ended, stderr).toBe(code)
      // Of a terminal's controls only ours: colours, and those of the line that shows progress.
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what this is about
      const shown = tty ? (stdout + stderr).replace(/\x1b\[(?:0|1|2|31|32)m|\r\x1b\[K/g, '') : stdout + stderr
      expect(shown).not.toMatch(OBEYED)
      expect(shown).not.toMatch(/^All deadlines are met|^PASS$/m)
      expect(shown).toMatch(/\\u(?:001b|009b)/)
    }
  })
})
