import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { decode, encode } from '../../src/jailhouse/index.ts'
import { zcu102 } from '../jailhouse/described.ts'
import { run } from './fake.ts'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'virtio-sdk-jailhouse-'))
  writeFileSync(join(folder, 'my.yaml'), SCENARIO)
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const SCENARIO = `
platform: zcu102
duration: 1ms
vms:
  - { name: camera, core: 1, cid: 3 }
  - { name: planner, core: 2, cid: 4 }
flows:
  - { name: frames, from: camera, to: planner, period: 1ms, deadline: 1ms, length: 4KiB, payload: random }
`
const cli = (args: string) => run(args.split(' '), 'none', { cwd: folder })
const file = (name: string) => join(folder, name)

describe('jailhouse SCENARIO', () => {
  it('writes a system and a cell for each VM, and says what is where', async () => {
    const { code, stdout } = await cli('jailhouse my.yaml --out out')
    expect(code).toBe(0)
    expect(readdirSync(file('out')).sort()).toEqual(['camera.cell', 'planner.cell', 'zcu102-system.cell'])
    expect(decode(readFileSync(file('out/camera.cell')))).toMatchObject({ kind: 'cell', name: 'camera', cpus: [1] })
    expect(stdout).toContain('camera - planner')
    expect(stdout).toContain('Reserve 0x800000000 to ')
    expect(stdout).toContain('Without --smmu')
  })

  it('writes to cells by default, and takes the layout with colours', async () => {
    const { code, stdout } = await cli('jailhouse my.yaml --coloring --smmu')
    expect(code).toBe(0)
    expect(decode(readFileSync(file('cells/planner.cell')))).toMatchObject({ layout: 'coloring' })
    expect(stdout).toContain('mainline) has no colouring')
    expect(stdout).not.toContain('Without --smmu')
  })

  it.each([
    ['jailhouse my.yaml another.yaml', 'use jailhouse SCENARIO, or jailhouse show FILE'],
    ['jailhouse my.yaml --json', '--json goes with jailhouse show'],
    ['jailhouse none.yaml', 'cannot read the scenario none.yaml'],
    ['jailhouse my.yaml --out a --out b', '--out is given more than once'],
    ['jailhouse show', 'name a file'],
    ['jailhouse show my.yaml --smmu', '--smmu does not go with jailhouse show'],
    ['jailhouse show none.cell', 'cannot read none.cell'],
    ['jailhouse show my.yaml', 'my.yaml: bytes 0 to 5 are'],
  ])('%s is refused', async (args, message) => {
    const { code, stderr } = await cli(args)
    expect(stderr).toContain(message)
    expect(code).toBe(2)
  })
})

describe('jailhouse show', () => {
  it('says what a file configures, and its faults with who finds them', async () => {
    writeFileSync(file('root.cell'), encode(zcu102.description))
    const { code, stdout } = await cli('jailhouse show root.cell')
    expect(code).toBe(1)
    expect(stdout).toContain('root cell ZynqMP-ZCU102')
    expect(stdout).toContain(
      'memory 4             0x800500000, 4 KiB, READ ROOTSHARED, the state table of ivshmem 00:02.0',
    )
    expect(stdout).toContain('ivshmem 0001:00:01.0 peer 0 of 2, regions 0 to 3, veth, interrupt 137')
    expect(stdout).toContain('overlaps an IOMMU, 0xfd800000 to 0xfd81ffff\n')
    expect(stdout).toContain("(Jailhouse's config check reports it)")
  })

  it('shows what was generated, without a fault; as JSON, a description of the same bytes', async () => {
    await cli('jailhouse my.yaml')
    const names = 'cells/zcu102-system.cell cells/camera.cell cells/planner.cell'
    const { code, stdout } = await cli(`jailhouse show ${names}`)
    expect(code).toBe(0)
    expect(stdout).toContain('no fault found')
    const { configs, faults } = JSON.parse((await cli(`jailhouse show ${names} --json`)).stdout)
    expect(faults).toEqual([])
    for (const [i, name] of names.split(' ').entries()) {
      expect(Buffer.from(encode(configs[i]))).toEqual(readFileSync(file(name)))
    }
  })

  it('tells of bytes behind a configuration', async () => {
    writeFileSync(file('long.cell'), new Uint8Array([...encode(zcu102.description), 0]))
    expect((await cli('jailhouse show long.cell')).stderr).toContain('1 byte behind the configuration')
  })
})
