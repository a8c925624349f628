import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { BOARD_PROFILES, formatBoardProfile, parseBoardProfile, zcu102 } from '../../src/platform-zcu102/index.ts'
import { run, SMALL } from './fake.ts'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'virtio-sdk-platform-'))
  mkdirSync(join(folder, 'scenarios'))
  write('scenarios/small.yaml', SMALL)
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const write = (name: string, text: string) => writeFileSync(join(folder, name), text)
const cli = (args: string) => run(args.split(' '), 'none', { cwd: folder })

const CALIBRATION = `{ board: zcu102, by: nobody, date: 2000-01-01, method: made up, costsNs: { hvc: [1, 2, 3] } }`
const MINE = formatBoardProfile({ ...zcu102, name: 'mine' })

describe('platform', () => {
  it('lists the boards', async () => {
    const { code, stdout } = await cli('platform list')
    expect(code).toBe(0)
    for (const [name, { title }] of Object.entries(BOARD_PROFILES)) expect(stdout).toContain(`${name}  ${title}`)
    expect(JSON.parse((await cli('platform list --json')).stdout)).toEqual(Object.values(BOARD_PROFILES))
  })

  it('shows one as a file, which is the board again', async () => {
    const { stdout } = await cli('platform show tx2')
    expect(parseBoardProfile(stdout)).toEqual(BOARD_PROFILES.tx2)
    write('mine.yaml', stdout)
    expect((await cli('platform show file:mine.yaml')).stdout).toBe(stdout)
    expect(JSON.parse((await cli('platform show tx2 --json')).stdout)).toEqual(BOARD_PROFILES.tx2)
  })

  it('takes a file of the current folder, not one of that name above it', async () => {
    const board = (title: string) => formatBoardProfile({ ...BOARD_PROFILES.tx2!, title })
    mkdirSync(join(folder, 'below'), { recursive: true })
    write('here.yaml', board('above'))
    write('below/here.yaml', board('below'))
    const below = (...args: string[]) => run(args, 'none', { cwd: join(folder, 'below') })
    expect((await below('platform', 'show', 'file:here.yaml')).stdout).toContain('title: "below"')
    rmSync(join(folder, 'below/here.yaml'))
    for (const args of [
      ['platform', 'show', 'file:here.yaml'],
      ['calibration', 'template', '--platform', 'file:here.yaml'],
      ['evaluate', '--platform', 'file:here.yaml', '--out', 'x'],
    ]) {
      const { code, stderr } = await below(...args)
      expect(code).toBe(2)
      expect(stderr).toMatch(/^there is no file \S*here\.yaml(?:, looked for \S*\/below\/here\.yaml)?\n$/)
    }
  })

  it.each([
    ['platform show file:', 'file: names no file; write file:PATH'],
    ['simulate scenarios/small.yaml --platform file:', 'file: names no file; write file:PATH'],
    ['platform show zcu12', 'platform "zcu12" is not built in; did you mean zcu102?'],
    ['platform show', 'use platform list, or platform show NAME'],
    ['platform', 'use platform list, or platform show NAME'],
    ['calibration', 'use calibration template'],
    ['platform lst', 'use platform list, or platform show NAME'],
    ['platform show file:none.yaml', 'there is no file none.yaml, looked for '],
    ['calibration make', 'use calibration template'],
  ])('%s is refused', async (args, message) => {
    const { code, stdout, stderr } = await cli(args)
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toContain(message)
  })
})

it('calibration template is that of the board', async () => {
  expect((await cli('calibration template')).stdout).toContain('board: zcu102\n')
  expect((await cli('calibration template --platform rpi4')).stdout).toContain('# hvc: [95, 140, 825]')
})

describe('simulate', () => {
  const report = async (args: string) => {
    const { code, stdout, stderr, calls } = await cli(`simulate scenarios/small.yaml --json ${args}`)
    expect([code, stderr]).toEqual([0, ''])
    const printed = JSON.parse(stdout)
    for (const { options } of calls) expect(options.profile).toEqual(printed.profile)
    return printed
  }

  it('takes a board by name', async () => {
    const { platform, profile, assumptions } = await report('--platform rpi4')
    expect(platform).toBe('rpi4')
    expect(profile).toEqual(BOARD_PROFILES.rpi4)
    expect(assumptions).toContain('a board called rpi4')
  })

  it('takes a board and a calibration from files, beside the scenario or in the current folder', async () => {
    write('scenarios/small.yaml', `platform: file:mine.yaml\ncalibration: file:c.yaml\n${SMALL}`)
    write('scenarios/mine.yaml', MINE)
    write('c.yaml', CALIBRATION.replace('zcu102', 'mine'))
    const { platform, calibration, profile } = await report('--duration 10ms')
    expect({ platform, calibration }).toEqual({ platform: 'file:mine.yaml', calibration: 'file:c.yaml' })
    expect(profile.name).toBe('mine')
    expect(profile.costsNs.hvc).toEqual({ value: [1, 2, 3], status: 'MEASURED', source: 'nobody, 2000-01-01: made up' })
  })

  it('takes both from the command line, over the scenario', async () => {
    write('mine.yaml', MINE)
    write('c.yaml', CALIBRATION)
    expect((await report('--platform file:mine.yaml')).profile.name).toBe('mine')
    const { profile } = await report('--calibration c.yaml')
    expect(profile.costsNs.hvc.status).toBe('MEASURED')
  })

  it.each([
    ['--platform nonesuch', 'platform "nonesuch" is not built in'],
    ['--platform file:none.yaml', 'there is no file'],
    ['--calibration none.yaml', 'there is no file'],
    ['--calibration bad.yaml', 'costsNs.hcv: unknown key; did you mean hvc?'],
    ['--calibration c.yaml --platform rpi4', 'the calibration is of board "zcu102", the platform is "rpi4"'],
    ['--calibration c.yaml --calibration c.yaml', '--calibration takes one value'],
  ])('%s is refused', async (args, message) => {
    write('c.yaml', CALIBRATION)
    write('bad.yaml', CALIBRATION.replace('hvc', 'hcv'))
    const { code, stdout, stderr, calls } = await cli(`simulate scenarios/small.yaml ${args}`)
    expect([code, stdout, calls]).toEqual([2, '', []])
    expect(stderr).toContain(message)
  })
})
