/** Each fault of a set of configurations is found, at its place, and a right set has none. */
import { describe, expect, it } from 'vitest'
import {
  type CellConfig,
  checkConfigs,
  decode,
  encode,
  type JailhouseConfig,
  jailhouseCells,
  type MemoryRegion,
  type PciDevice,
  type SystemConfig,
} from '../../src/jailhouse/index.ts'
import { parseScenario } from '../../src/scenario/index.ts'
import { linuxDemo, zcu102 } from './described.ts'

const scenario = parseScenario(`
platform: zcu102
duration: 1ms
vms:
  - { name: camera, core: 1, cid: 3 }
  - { name: planner, core: 2, cid: 4 }
flows:
  - { name: frames, from: camera, to: planner, period: 1ms, deadline: 1ms, length: 4KiB, payload: random }
`)
const { system, cells } = jailhouseCells(scenario)
const [camera, planner] = cells as [CellConfig, CellConfig]

/** The set with another camera. */
const withCamera = (changes: Partial<CellConfig>) => [system, { ...camera, ...changes }, planner]
const withSystem = (changes: Partial<SystemConfig>) => [{ ...system, ...changes }, camera, planner]
const region = (index: number, changes: Partial<MemoryRegion>) =>
  withCamera({ memory: camera.memory.map((each, i) => (i === index ? { ...each, ...changes } : each)) })
const device = (changes: Partial<PciDevice>) => withCamera({ pciDevices: [{ ...camera.pciDevices[0]!, ...changes }] })
const added = (...regions: MemoryRegion[]) => withCamera({ memory: [...camera.memory, ...regions] })

const RAM = camera.memory.findIndex(({ flags }) => flags.includes('DMA'))
const ram = camera.memory[RAM]!
const flags = (...names: string[]) => ({ flags: names })
const plain = { virt: 0x9_0000_0000n, size: 0x1000n, flags: ['READ'] }

const FAULTS: readonly (readonly [
  what: string,
  set: readonly JailhouseConfig[],
  foundBy: string,
  where: string,
  told: string,
])[] = [
  ['two systems', [system, system], 'config check', 'the set of 2 files', 'has 2 system configurations'],
  ['another layout', withCamera({ layout: 'coloring' }), 'config check', 'cell camera', 'has the layout coloring'],
  ['another architecture', withCamera({ architecture: 'arm' }), 'config check', 'cell camera', 'architecture arm'],
  ['a name twice', withCamera({ name: 'planner' }), 'hypervisor', 'cell planner', '2 cells have this name'],
  [
    'physical overlap in a cell',
    added({ ...plain, phys: ram.phys }),
    'config check',
    `cell camera, memory region ${RAM}`,
    'physically',
  ],
  [
    'guest overlap in a cell',
    added({ ...plain, phys: 0x8_7000_0000n, virt: ram.virt }),
    'config check',
    `cell camera, memory region ${RAM}`,
    'in the guest',
  ],
  [
    "the hypervisor's memory",
    region(RAM, { phys: 0x8_0000_0000n }),
    'config check',
    'region',
    "the hypervisor's memory",
  ],
  [
    'the PCI configuration space',
    added({ ...plain, phys: 0xfc00_0000n }),
    'config check',
    'region',
    'configuration space',
  ],
  ['the GICD', added({ ...plain, phys: 0xf901_0000n }), 'config check', 'region', 'the GICD'],
  ['the second page of the GICV', added({ ...plain, phys: 0xf907_0000n }), 'config check', 'region', 'the GICV'],
  [
    'an IOMMU',
    withSystem({ iommuUnits: [{ type: 5, base: 0xfd00_0000n, size: 0x1000, rest: [] }] }),
    'config check',
    'cell ZynqMP-root, memory region 0',
    'an IOMMU',
  ],
  ['part of a page', region(RAM, { size: 0x1800n }), 'nobody', 'region', 'whole pages'],
  ['the middle of a page', region(RAM, { phys: ram.phys + 8n }), 'hypervisor', 'region', 'in the middle of a page'],
  [
    'past the end',
    added({ ...plain, phys: 0n, virt: (1n << 64n) - 0x1000n, size: 0x2000n }),
    'nobody',
    'region',
    'address space',
  ],
  ['no access', region(RAM, flags('EXECUTE')), 'nobody', 'region', 'neither READ nor WRITE'],
  [
    'a large communication region',
    withCamera({
      memory: camera.memory.map((each) => (each.flags.includes('COMM_REGION') ? { ...each, size: 0x2000n } : each)),
    }),
    'nobody',
    'cell camera',
    'communication region of 8 KiB',
  ],
  [
    'two communication regions',
    added({ phys: 0n, virt: 0x9000_0000n, size: 0x1000n, flags: ['READ', 'WRITE', 'COMM_REGION'] }),
    'nobody',
    'cell camera',
    'has 2 communication regions',
  ],
  ['no CPU', withCamera({ cpus: [] }), 'nobody', 'cell camera', 'has no CPU'],
  ['a CPU twice', withCamera({ cpus: [2] }), 'hypervisor', 'cell planner', 'has CPU 2, which cell camera has too'],
  ['a CPU of nobody', withCamera({ cpus: [5] }), 'hypervisor', 'cell camera', 'which the root cell does not have'],
  ['all CPUs', withCamera({ cpus: [0, 1, 3] }), 'hypervisor', 'root cell ZynqMP-root', 'take every CPU'],
  [
    'an interrupt of another cell',
    withCamera({ irqchips: [...camera.irqchips, ...planner.irqchips] }),
    'nobody',
    'cell planner',
    'which cell camera has too',
  ],
  [
    'an interrupt of nobody',
    withCamera({
      irqchips: [...camera.irqchips, { address: 0xf901_0000n, id: 0, pinBase: 160, bitmap: [1, 0, 0, 0] }],
    }),
    'nobody',
    'cell camera',
    'has interrupt 160, which the root cell does not have',
  ],
  [
    'pins from the middle of a word',
    withCamera({ irqchips: [...camera.irqchips, { address: 0xf901_0000n, id: 0, pinBase: 33, bitmap: [0, 0, 0, 0] }] }),
    'hypervisor',
    'cell camera',
    'begin at a multiple of 32',
  ],
  [
    'memory of two cells',
    region(RAM, { phys: planner.memory.at(-2)!.phys }),
    'nobody',
    'region',
    'without an ivshmem link',
  ],
  [
    'sections that are not there',
    device({ firstRegion: 99 }),
    'hypervisor',
    'ivshmem 00:01.0',
    'needs memory regions 99 to 102',
  ],
  ['an id above all peers', device({ id: 12 }), 'hypervisor', 'ivshmem 00:01.0', 'has the id 12'],
  ['an id above its peers', device({ id: 2 }), 'nobody', 'ivshmem 00:01.0', 'has the id 2, of 2 peers'],
  ['the id of its peer', device({ id: 1 }), 'hypervisor', 'ivshmem 00:01.0', 'has the id 1, as cell planner'],
  ['another number of peers', device({ peers: 1 }), 'nobody', 'ivshmem 00:01.0', 'a link of 1 peers'],
  ['too many vectors', device({ msixVectors: 17 }), 'hypervisor', 'ivshmem 00:01.0', 'at most 16'],
  ['no BAR', device({ barMasks: [0, 0, 0, 0, 0, 0] }), 'nobody', 'ivshmem 00:01.0', 'no BAR'],
  ['another bdf', device({ bdf: 4 << 3 }), 'nobody', 'ivshmem 00:04.0', 'has no peer'],
  ['two back-ends', device({ protocol: 0xc013 }), 'nobody', 'ivshmem 00:01.0', 'speaks virtio back-end of device 19'],
  ['another device', device({ protocol: 0x8002 }), 'nobody', 'ivshmem 00:01.0', 'virtio front-end of device 2'],
  [
    'a link to itself',
    withCamera({ pciDevices: [...camera.pciDevices, ...camera.pciDevices] }),
    'nobody',
    'ivshmem 00:01.0',
    'a second device of the same bdf',
  ],
  [
    'an interrupt that the cell lacks',
    withCamera({ vpciIrqBase: 0 }),
    'nobody',
    'ivshmem 00:01.0',
    'raises interrupt 33',
  ],
  ['a state table that is written', region(0, flags('READ', 'WRITE')), 'nobody', 'the state table', 'can be written'],
  ['a state table that is not read', region(0, flags('WRITE')), 'nobody', 'the state table', 'cannot be read'],
  ['a small state table', region(0, { size: 4n }), 'nobody', 'the state table', '4 bytes for 2 peers'],
  [
    'a common section that is not written',
    region(1, flags('READ')),
    'nobody',
    'the common section',
    'read and written',
  ],
  [
    'an own output that is not written',
    region(2, flags('READ')),
    'nobody',
    'output section of peer 0',
    'by its own peer',
  ],
  [
    'a foreign output that is written',
    region(3, flags('READ', 'WRITE')),
    'nobody',
    'output section of peer 1',
    'by peer 0',
  ],
  ['an output that is not read', region(3, flags('DMA')), 'nobody', 'output section of peer 1', 'cannot be read'],
  ['outputs of two sizes', region(3, { size: 0x2000n }), 'nobody', 'output section of peer 0', 'make all of one size'],
  ['a section of registers', region(1, flags('READ', 'WRITE', 'IO')), 'nobody', 'the common section', 'plain memory'],
  ['a gap', region(1, { virt: 0x9_0000_0000n }), 'nobody', 'the common section', 'behind the section before'],
  ['another place', region(1, { phys: 0x8_7000_0000n }), 'nobody', 'the common section', 'in cell planner'],
]

describe('a set of configurations', () => {
  it('that is right has no fault', () => {
    expect(checkConfigs([system, ...cells])).toEqual([])
    expect(checkConfigs([camera])).toEqual([])
    expect(checkConfigs([])).toEqual([])
  })

  it.each(FAULTS)('%s', (_, set, foundBy, where, told) => {
    const faults = checkConfigs(set)
    const found = faults.filter((fault) => fault.where.includes(where) && `${fault.what} ${fault.cure}`.includes(told))
    expect({ found: found.map((fault) => fault.foundBy), all: faults }).toMatchObject({
      found: expect.arrayContaining([foundBy]),
    })
  })

  it('that overlaps by one byte is told from one that touches', () => {
    const last = { ...plain, phys: 0x8_7000_0000n }
    const touching = { ...plain, phys: 0x8_7000_1000n, virt: plain.virt + 0x1000n }
    expect(checkConfigs(added(last, touching))).toEqual([])
    expect(checkConfigs(added(last, { ...touching, phys: touching.phys - 1n }))).not.toEqual([])
  })

  it("is told what Jailhouse's tool tells of its own ZCU102: the root cell overlaps the SMMU", () => {
    const own = [decode(encode(zcu102.description))]
    expect(checkConfigs(own)).toEqual([
      {
        where: 'cell ZynqMP-ZCU102, memory region 8',
        what: '0xfd000000 to 0xffffffff overlaps an IOMMU, 0xfd800000 to 0xfd81ffff',
        cure: 'leave that range out, or accesses to it are not intercepted',
        foundBy: 'config check',
      },
    ])
    // Its second link is to another demo, which is not in the set.
    const withDemo = checkConfigs([...own, decode(encode(linuxDemo.description))])
    expect(withDemo.map(({ where }) => where)).toEqual([
      'cell ZynqMP-ZCU102, memory region 8',
      'cell ZynqMP-ZCU102, ivshmem 00:02.0',
      'cell ZynqMP-linux-demo, ivshmem 00:03.0',
    ])
  })
})
