/** Files that are no files, are too large, or cannot be written: each is said as it is, at once, and ends with 2. */
import { execFileSync } from 'node:child_process'
import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Run, run, SMALL, TEXT } from './fake.ts'

const TARGETS = fileURLToPath(new URL('targets/', import.meta.url))
const GIB = 1024 ** 3
let folder: string
let server: Server

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'virtio-sdk-'))
  writeFileSync(join(folder, 'small.yaml'), SMALL)
  mkdirSync(join(folder, 'directory'))
  execFileSync('mkfifo', [join(folder, 'pipe')])
  symlinkSync('pipe', join(folder, 'link'))
  symlinkSync('circle', join(folder, 'circle'))
  // Sparse: they take no room.
  for (const name of ['large', 'large.mjs']) writeFileSync(join(folder, name), '')
  truncateSync(join(folder, 'large'), 5 * GIB)
  server = createServer().listen(join(folder, 'socket'))
  await new Promise((resolve) => server.once('listening', resolve))
})
afterAll(() => {
  server.close()
  rmSync(folder, { recursive: true, force: true })
})

const cli = (...args: string[]): Promise<Run> => run(args, join(folder, 'small.yaml'), { cwd: folder })

describe('files that are read', () => {
  const WRONG: readonly [path: string, why: string][] = [
    ['pipe', 'it is a named pipe, not a regular file'],
    ['link', 'it is a named pipe, not a regular file'],
    ['socket', 'it is a socket, not a regular file'],
    ['circle', 'its symbolic links go in a circle (ELOOP)'],
    ['n'.repeat(300), 'its name is too long (ENAMETOOLONG)'],
    ['directory', 'it is a directory, not a regular file'],
    ['/dev/zero', 'it is a device, not a regular file'],
    ['large', `it has ${5 * GIB} bytes, at most 16777216 are read`],
  ]
  const READERS: readonly [what: string, args: (path: string) => string[], said: (path: string) => string][] = [
    ['a scenario', (path) => ['simulate', path], (path) => `cannot read the scenario ${path}: `],
    ['a scenario to analyse', (path) => ['analyze', path], (path) => `cannot read the scenario ${path}: `],
    ['a payload', (path) => ['simulate', '--payload', `f=${path}`], () => 'flow f: cannot read the payload '],
    ['a payload of all flows', (path) => ['simulate', '--payload', path], () => 'flow g: cannot read the payload '],
    ['a board', (path) => ['simulate', '--platform', `file:${path}`], () => 'cannot read '],
    ['a board to show', (path) => ['platform', 'show', `file:${path}`], () => 'cannot read '],
    ['a board to calibrate', (path) => ['calibration', 'template', '--platform', `file:${path}`], () => 'cannot read '],
    ['a calibration', (path) => ['analyze', '--calibration', path], () => 'cannot read '],
    ['a calibration of a campaign', (path) => ['evaluate', '--calibration', path, '--out', 'x'], () => 'cannot read '],
  ]
  const cases = READERS.flatMap(([what, args, said]) =>
    WRONG.map(([path, why]) => [what, path, args, said, why] as const),
  )

  it.each(cases)('%s: %s', async (what, path, args, said, why) => {
    const { code, stdout, stderr } = await cli(...args(path))
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(said(path))
    // Of a payload more is read.
    expect(stderr).toContain(what.startsWith('a payload') ? why.replace('16777216', '2147483647') : why)
  })

  it.each(['pipe', 'socket', 'directory', '/dev/zero'])('a module with a target: %s', async (path) => {
    for (const command of ['museum', 'fuzz']) {
      const { code, stderr } = await cli(command, '--target', path.startsWith('/') ? path : `./${path}`)
      expect(code).toBe(2)
      expect(stderr).toMatch(/^cannot load .*: it is a .*, not a module\n$/)
    }
  })

  it('a case of a corpus', async () => {
    const corpus = join(folder, 'corpus')
    mkdirSync(corpus)
    execFileSync('mkfifo', [join(corpus, 'case.json')])
    const { code, stderr } = await cli('fuzz', '--target', `${TARGETS}sound.ts`, '--runs', '1', '--corpus', 'corpus')
    expect(code).toBe(2)
    expect(stderr).toContain('case.json is no case of a corpus: it is a named pipe, not a regular file')
  })

  const ENCODED: readonly [what: string, bytes: Buffer, why: string][] = [
    ['UTF-16, low byte first', Buffer.from(`\ufeff${SMALL}`, 'utf16le'), 'its text is UTF-16; save it as UTF-8'],
    [
      'UTF-16, high byte first',
      Buffer.from(`\ufeff${SMALL}`, 'utf16le').swap16(),
      'its text is UTF-16; save it as UTF-8',
    ],
    [
      'Latin-1',
      Buffer.from('# Größe \ufffd\n', 'latin1'),
      'its text is not UTF-8, from line 1, column 5 on; save it as UTF-8',
    ],
    [
      'UTF-8 that ends within a character',
      Buffer.from('# a replaced character: \ufffd\n# ö').subarray(0, -1),
      'its text is not UTF-8, from line 2, column 3 on; save it as UTF-8',
    ],
  ]
  it.each(ENCODED)('text that is %s is refused for that', async (_, bytes, why) => {
    writeFileSync(join(folder, 'encoded'), bytes)
    for (const [what, args, said] of READERS.filter(([what]) => !what.startsWith('a payload'))) {
      const { code, stdout, stderr } = await cli(...args('encoded'))
      expect({ what, code, stdout }).toEqual({ what, code: 2, stdout: '' })
      expect(stderr).toContain(said('encoded'))
      expect(stderr).toContain(why)
    }
  })

  it('a payload may hold any bytes, and text a byte order mark', async () => {
    writeFileSync(join(folder, 'encoded'), Buffer.from([0xff, 0xfe, 0x80]))
    writeFileSync(join(folder, 'marked.yaml'), `\ufeff${SMALL}`)
    expect((await cli('simulate', 'marked.yaml', '--payload', 'encoded')).code).toBe(0)
  })

  it('a file of /proc, which says that it has 0 bytes', async () => {
    const { code, calls } = await cli('simulate', '--payload', '/proc/self/status')
    expect(code).toBe(0)
    expect(new TextDecoder().decode(calls[0]!.options.payload('f')!)).toMatch(/^Name:/)
  })

  it('the same payload of many flows is read once', async () => {
    const { calls } = await cli('simulate', '--payload', 'small.yaml')
    expect(calls[0]!.options.payload('f')).toBe(calls[0]!.options.payload('g'))
  })
})

describe('files that are written', () => {
  it.each(['pipe', 'socket', 'directory'])('a trace, before anything is simulated: %s', async (path) => {
    const { code, stderr, calls } = await cli('simulate', '--design', 'floating', '--trace', path)
    expect({ code, calls }).toEqual({ code: 2, calls: [] })
    expect(stderr).toMatch(/^cannot write .*: it is a .*, not a regular file\n$/)
  })

  it.each([
    ['the scenario', 'used.yaml', 'used.yaml'],
    ['the scenario by another name', 'other.yaml', 'used.yaml'],
    ['a payload', 'payload.bin', 'payload.bin'],
    ['a folder', '.', 'directory'],
  ])('a trace does not replace %s', async (_, trace, named) => {
    writeFileSync(join(folder, 'used.yaml'), SMALL)
    writeFileSync(join(folder, 'payload.bin'), 'bytes')
    if (!existsSync(join(folder, 'other.yaml'))) linkSync(join(folder, 'used.yaml'), join(folder, 'other.yaml'))
    for (const design of ['floating', 'both']) {
      const args = ['simulate', 'used.yaml', '--payload', 'payload.bin', '--design', design, '--trace', trace]
      const { code, stderr, calls } = await cli(...args)
      expect({ code, calls }).toEqual({ code: 2, calls: [] })
      expect(stderr).toMatch(/^cannot write [^\n]+\n$/)
      expect(stderr).toContain(named)
    }
    expect(readFileSync(join(folder, 'used.yaml'), 'utf8')).toBe(SMALL)
    expect(readdirSync(join(folder, '..')).filter((name) => name.startsWith(`${basename(folder)}.`))).toEqual([])
  })

  it('a JUnit report does not replace the module of the target', async () => {
    writeFileSync(join(folder, 'mine.mjs'), 'export const target = 1')
    const { code, stderr } = await cli('museum', '--target', './mine.mjs', '--junit', 'mine.mjs')
    expect(code).toBe(2)
    expect(stderr).toMatch(/^cannot write .*mine\.mjs: it is read in the same run, as .*mine\.mjs\n$/)
    expect(readFileSync(join(folder, 'mine.mjs'), 'utf8')).toBe('export const target = 1')
  })

  it.each([
    ['a full disk', '/dev/full', 'the disk is full (ENOSPC)'],
    ['a folder that takes none', '/proc/self/run.json', 'there is no such file or folder (ENOENT)'],
    ['a folder that is a file', 'small.yaml/run.json', 'small.yaml: it has to be a folder, and is none'],
    ['a folder below a file', 'small.yaml/a/run.json', 'a part of its path is a file, not a folder (ENOTDIR)'],
  ])('a trace on %s', async (_, path, why) => {
    const { code, stdout, stderr } = await cli('simulate', '--design', 'floating', '--trace', path)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/^cannot write [^\n]+\n$/)
    expect(stderr).toContain(why)
  })

  it('a payload on a full disk', async () => {
    mkdirSync(join(folder, 'out/floating/f'), { recursive: true })
    symlinkSync('/dev/full', join(folder, 'out/floating/f/000000.bin'))
    const args = ['simulate', '--design', 'floating', '--out', 'out']
    const { code, stderr } = await run(args, join(folder, 'small.yaml'), {
      cwd: folder,
      during: ({ onMessage }) => onMessage?.({ flow: 'f', sequence: 0, bytes: TEXT.encode('one'), responseNs: 1 }),
    })
    expect(code).toBe(2)
    expect(stderr).toMatch(/^cannot write .*floating\/f\/000000.bin: the disk is full \(ENOSPC\)\n$/)
  })

  it('the JUnit report on a full disk: what was found is told all the same', async () => {
    const args = ['museum', '--target', `${TARGETS}broken.ts`, '--exhibit', '10', '--junit', '/dev/full']
    const { code, stdout, stderr } = await cli(...args)
    expect(code).toBe(2)
    expect(stdout).toContain('took chain 0, which breaks a rule')
    expect(stderr).toBe('cannot write /dev/full: the disk is full (ENOSPC)\n')
  })

  it('a corpus that cannot be written: the case is told', async () => {
    symlinkSync('nowhere/at all', join(folder, 'dangling'))
    const args = ['fuzz', '--target', `${TARGETS}broken.ts`, '--runs', '3000', '--corpus', 'dangling']
    const { code, stdout, stderr } = await cli(...args)
    expect(code).toBe(2)
    expect(stdout).toContain('FAIL')
    const why = /^cannot keep it: cannot write .*dangling: it has to be a folder, and is none; as a/
    expect(stderr).toMatch(why)
    const [, found] = /; as a corpus file: (\{.*\})\n$/.exec(stderr)!
    expect(JSON.parse(found!)).toHaveProperty('kind')
  })
})

describe('values of options are taken as they are written', () => {
  it.each(['007', '1e3', '0x10', '1.50', '-5'])('--out %s', async (name) => {
    const { code } = await cli('simulate', '--design', 'floating', '--out', name)
    expect(code).toBe(0)
    expect(readdirSync(join(folder, name))).toEqual(['floating'])
    expect((await cli('simulate', '--design', 'floating', `--trace=${name}/010`)).code).toBe(0)
    expect(existsSync(join(folder, name, '010'))).toBe(true)
  })

  it.each([
    [['simulate', '--out', ''], '--out takes one path'],
    [['simulate', '--out='], '--out takes one path'],
    [['simulate', '--duration', '5'], '--duration 5: write a time with its unit, ns, us, ms or s, e.g. 5ms'],
    [['simulate', '--duration', '1e3'], '--duration 1e3: write a time with its unit'],
    [['simulate', '--duration', ''], '--duration takes one time'],
    [['simulate', '--duration', '1ms', '--duration', '2ms'], '--duration takes one time'],
    [['simulate', '5'], 'cannot read the scenario 5: there is no such file'],
    [['simulate', '--json', '5'], 'cannot read the scenario 5: there is no such file'],
    [['simulate', '--', '--odd.yaml'], 'cannot read the scenario --odd.yaml: there is no such file'],
    [['simulate', ''], "the name of the scenario is ''"],
    [['5'], 'there is no command 5'],
  ])('%j', async (args, message) => {
    const { code, stdout, stderr } = await cli(...args)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(message)
  })

  it('numbers are numbers', async () => {
    const { calls } = await cli('simulate', '--seed', '0x10', '--design', 'floating')
    expect(calls[0]!.scenario.seed).toBe(16)
  })
})
