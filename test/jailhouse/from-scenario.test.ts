/** Cells of a scenario: who has which core, memory, colours, links and interrupts. */
import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { checkConfigs, decode, encode, jailhouseCells } from '../../src/jailhouse/index.ts'
import { parseScenario } from '../../src/scenario/index.ts'

const EXAMPLES = new URL('../../examples/scenarios/', import.meta.url)
const example = (name: string) => parseScenario(readFileSync(new URL(name, EXAMPLES), 'utf8'))

const vm = (name: string, core: number, more = '', cid = core + 3) =>
  `  - { name: ${name}, core: ${core}, cid: ${cid}${more} }\n`
const flow = (from: string, to: string, length = '4KiB', name = `${from}-${to}`) =>
  `  - { name: ${name}, from: ${from}, to: ${to}, period: 10ms, deadline: 10ms, length: ${length}, payload: none }\n`
const scenario = (vms: string, flows: string, more = '') =>
  parseScenario(`platform: zcu102\nduration: 1ms\n${more}vms:\n${vms}flows:\n${flows}`)
const two = (more = '') => scenario(vm('a', 1, more) + vm('b', 2), flow('a', 'b'))

describe('cells of a scenario', () => {
  it.each(readdirSync(EXAMPLES))('of %s are files without a fault, in either layout', (name) => {
    const given = example(name)
    const cores = new Set(given.vms.map(({ core }) => core))
    if (cores.size < given.vms.length) {
      expect(() => jailhouseCells(given)).toThrow(expect.objectContaining({ code: 'SHARED_CORE' }))
      return
    }
    for (const coloring of [false, true]) {
      for (const smmu of [false, true]) {
        const { system, cells } = jailhouseCells(given, { coloring, smmu })
        const files = [system, ...cells].map((config) => decode(encode(config)))
        expect(files).toEqual([system, ...cells])
        expect(checkConfigs(files)).toEqual([])
      }
    }
  })

  it('have the core of their VM, and memory of their own', () => {
    const { system, cells, rootVm } = jailhouseCells(example('default.yaml'))
    expect(rootVm).toBeNull()
    expect(cells.map(({ name, cpus }) => [name, cpus])).toEqual([
      ['camera', [0]],
      ['planner', [1]],
      ['logger', [2]],
    ])
    expect(system.rootCell.cpus).toEqual([0, 1, 2, 3])
    for (const { memory } of cells) {
      expect(memory.filter(({ flags }) => flags.includes('LOADABLE')).map(({ virt }) => virt === 0n)).toEqual([
        true,
        false,
      ])
    }
  })

  it('have the RAM of the scenario, or 128 MiB', () => {
    const ramOf = (more: string) =>
      jailhouseCells(two(more)).cells[0]!.memory.find(({ flags }) => flags.includes('DMA'))!.size
    expect(ramOf('')).toBe(128n << 20n)
    expect(ramOf(', ram: 64MiB')).toBe(64n << 20n)
  })

  it('have one link for each pair of VMs with flows, the sender as front-end', () => {
    const given = scenario(
      vm('a', 1) + vm('b', 2) + vm('c', 3),
      flow('a', 'b') + flow('b', 'a', '64KiB') + flow('c', 'a', '1MiB'),
    )
    const { cells, links } = jailhouseCells(given)
    expect(links.map(({ vms, flows }) => [vms, flows])).toEqual([
      [
        ['a', 'b'],
        ['a-b', 'b-a'],
      ],
      [['c', 'a'], ['c-a']],
    ])
    const ends = cells.map(({ pciDevices }) => pciDevices.map(({ bdf, id, protocol }) => [bdf >> 3, id, protocol]))
    expect(ends).toEqual([
      [
        [1, 0, 0x8013],
        [2, 1, 0xc013],
      ],
      [[1, 1, 0xc013]],
      [[2, 0, 0x8013]],
    ])
    // Header, two rings of 256 entries, and two messages of each flow.
    expect(links[0]!.commonBytes).toBe(0x1000n + 2n * 0x2000n + 2n * (0x1000n + 0x1_0000n))
  })

  it('of four VMs make the first the root cell, with the links that it has', () => {
    const given = scenario(
      [0, 1, 2, 3].map((core) => vm(`vm${core}`, core)).join(''),
      [0, 1, 2, 3].flatMap((a) => [0, 1, 2, 3].filter((b) => b !== a).map((b) => flow(`vm${a}`, `vm${b}`))).join(''),
    )
    const { system, cells, rootVm, links } = jailhouseCells(given)
    expect(rootVm).toBe('vm0')
    expect(links).toHaveLength(6)
    expect(cells.map(({ name }) => name)).toEqual(['vm1', 'vm2', 'vm3'])
    expect(system.rootCell.pciDevices).toHaveLength(3)
    expect(checkConfigs([system, ...cells])).toEqual([])
    // Three links a cell, each with a pin of its own.
    for (const { pciDevices } of [system.rootCell, ...cells]) {
      expect(new Set(pciDevices.map(({ bdf }) => (bdf >> 3) & 3)).size).toBe(3)
    }
  })

  it('have the page colours of the plan, as ranges', () => {
    const given = scenario(
      vm('a', 1, ', ram: 1MiB, colors: [0, 1, 2, 7]') + vm('b', 2, ', ram: 2MiB, colors: [8]'),
      flow('a', 'b'),
    )
    const { system, cells } = jailhouseCells(given, { coloring: true })
    expect(system).toMatchObject({ layout: 'coloring', llcWaySize: 0x1_0000n, colLoadAddress: 0x4_0000_0000n })
    expect(cells.map(({ caches }) => caches.map(({ start, size }) => [start, size]))).toEqual([
      [
        [0, 3],
        [7, 1],
      ],
      [[8, 1]],
    ])
    const rams = cells.map(({ memory }) => memory.find(({ flags }) => flags.includes('COLORED'))!)
    expect(rams[0]!.phys).toBe(rams[1]!.phys)
    // The same without different colours: each would have the pages of the other.
    const same = cells.map((cell) => ({ ...cell, caches: [{ start: 0, size: 4, type: 0, flags: 0 }] }))
    expect(checkConfigs([system, ...same]).map(({ what }) => what)).toEqual([
      expect.stringContaining('without an ivshmem link'),
    ])
  })

  it.each([
    [0, scenario(vm('a', 1) + vm('b', 1, '', 9), flow('a', 'b')), 'SHARED_CORE', 'VMs a and b share core 1'],
    [0, { ...two(), platform: 'rpi4' }, 'NO_BOARD', 'platform is rpi4'],
    [0, two(', ram: 3GiB'), 'TOO_MUCH_RAM', 'give VMs less ram'],
    [
      0,
      scenario(vm('a', 1) + vm('a-name-of-more-than-31-characters', 2), flow('a', 'a-name-of-more-than-31-characters')),
      'BAD_CONFIG',
      'VM a-name-of-more-than-31-characters makes no cell: name',
    ],
  ])('are refused with the cause (%#)', (_, given, code, message) => {
    const refusal = expect.objectContaining({ code, message: expect.stringContaining(message) })
    expect(() => jailhouseCells(given)).toThrow(refusal)
  })
})
