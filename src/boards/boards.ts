/**
 * The boards that scenarios may name. Only of the ZCU102 is more than the outline known: the others keep its costs, scaled to
 * their processors, and say so in every figure. The simulated devices are the ZCU102's on each of them.
 */
import { VirtioError } from '../internal/error.ts'
import { oneOf } from '../internal/suggest.ts'
import { COST_OPS, type CostOpName } from '../platform/index.ts'
import type { Scenario } from '../scenario/index.ts'
import { type BoardProfile, type CostTriple, type Fact, fact } from './board-profile.ts'
import { zcu102 } from './zcu102.ts'

/** Of a board that is known in outline. */
interface Outline {
  readonly name: string
  readonly title: string
  readonly hardware: BoardProfile['hardware']
  readonly cores: Fact<number>
  readonly cpuHz: Fact<number>
  readonly pageColors: Fact<number>
  readonly gic: 2 | 3
  /** Its processor's time for what takes the ZCU102's 1: ASSUMED. */
  readonly costScale: number
  readonly dmaWireBytesPerNs?: Fact<number>
  readonly dmaRateControl?: BoardProfile['dmaRateControl']
}

/** Bound by memory or by the DMA engine, not by the processor. */
const NOT_SCALED: readonly CostOpName[] = ['dmaPerDescriptor', 'tlbRefill', 'cacheCleanPerLine', 'copyPerLine']
/** System registers in a GICv3, memory-mapped registers in a GICv2. */
const FASTER_WITH_GICV3: readonly CostOpName[] = ['injectListRegister', 'sgi']

function outlined(outline: Outline): BoardProfile {
  const { gic, costScale, name, title, hardware, cores, cpuHz, pageColors } = outline
  const unknown = (known: Fact<number>) => fact(known.value, 'ASSUMED', 'as on the zcu102; not known of this board')
  const costs = COST_OPS.map((op) => [op, scaledCost(op, costScale, gic)] as const)
  return {
    name,
    title,
    hardware,
    cores,
    cpuHz,
    pageColors,
    listRegisters:
      gic === 2
        ? fact(4, 'RECALLED', 'GIC-400')
        : fact(4, 'RECALLED', 'ICH_VTR_EL2.ListRegs of Cortex-A53, A57 and A72: four'),
    dmaBytesPerNs: unknown(zcu102.dmaBytesPerNs),
    dmaWireBytesPerNs: outline.dmaWireBytesPerNs ?? unknown(zcu102.dmaWireBytesPerNs),
    ...(outline.dmaRateControl && { dmaRateControl: outline.dmaRateControl }),
    dmaPrefetchedPieces: unknown(zcu102.dmaPrefetchedPieces),
    costsNs: Object.fromEntries(costs) as Record<CostOpName, Fact<CostTriple>>,
  }
}

function scaledCost(op: CostOpName, costScale: number, gic: 2 | 3): Fact<CostTriple> {
  const known = zcu102.costsNs[op]
  if (known.value[2] === 0) return known
  if (NOT_SCALED.includes(op)) return fact(known.value, 'ASSUMED', 'as on the zcu102: not bound by the processor')
  const halved = gic === 3 && FASTER_WITH_GICV3.includes(op)
  const [best, typical, worst] = known.value
  const scaled = (ns: number) => Math.round(ns * costScale * (halved ? 0.5 : 1))
  const why = halved ? ' / 2: a system register in GICv3 (RECALLED)' : ''
  return fact([scaled(best), scaled(typical), scaled(worst)], 'ASSUMED', `that of the zcu102 x ${costScale}${why}`)
}

const rpi4 = outlined({
  name: 'rpi4',
  title: 'Raspberry Pi 4 (Broadcom BCM2711)',
  hardware: {
    processor: fact('four Cortex-A72 at 1.5 GHz', 'READ', "official Raspberry Pi Beginner's Guide, appendix F"),
    caches: fact('L2 1 MiB, 16 ways of 64 KiB, shared by the cores', 'RECALLED', 'Cortex-A72 TRM'),
    interruptController: fact('GIC-400 (GICv2)', 'version READ, model RECALLED', 'jailhouse configs/arm64/rpi4.c'),
    dma: fact('DMA4: 40-bit channels 11 to 14', 'READ', 'Linux bcm2711.dtsi'),
    dmaRegulation: fact('none in hardware', 'ASSUMED', 'none is documented'),
  },
  cores: fact(4, 'READ', 'jailhouse configs/arm64/rpi4.c'),
  cpuHz: fact(
    1_500_000_000,
    'READ',
    "official Raspberry Pi Beginner's Guide, appendix F; later revisions run at 1.8 GHz",
  ),
  pageColors: fact(16, 'RECALLED', '64 KiB a way / 4 KiB'),
  gic: 2,
  costScale: 0.5,
})

const imx8qm = outlined({
  name: 'imx8qm',
  title: 'NXP i.MX 8QuadMax, its Cortex-A53 cluster',
  hardware: {
    processor: fact(
      'four Cortex-A53 at 1.2 GHz; two Cortex-A72 at 1.596 GHz, which are left out here',
      'READ',
      'Linux imx8qm.dtsi',
    ),
    caches: fact('L2 1 MiB, 1024 sets of 64-byte lines, a cluster', 'READ', 'Linux imx8qm.dtsi'),
    interruptController: fact('GICv3', 'READ', 'Linux imx8qm.dtsi'),
    dma: fact('eDMA', 'RECALLED', 'i.MX 8QuadMax reference manual'),
    dmaRegulation: fact('none in hardware', 'ASSUMED', 'none is documented'),
  },
  cores: fact(4, 'READ', 'Linux imx8qm.dtsi'),
  cpuHz: fact(1_200_000_000, 'READ', 'Linux imx8qm.dtsi, a53_opp_table'),
  pageColors: fact(16, 'DERIVED', 'Linux imx8qm.dtsi: 1024 sets x 64 bytes / 4 KiB'),
  gic: 3,
  costScale: 1,
})

const s32g2 = outlined({
  name: 's32g2',
  title: 'NXP S32G2',
  hardware: {
    processor: fact('four Cortex-A53 in two clusters', 'READ', 'Linux s32g2.dtsi'),
    caches: fact('L2 of 512 KiB, 16 ways of 32 KiB, a cluster', 'sharing READ, sizes RECALLED', 'Linux s32g2.dtsi'),
    interruptController: fact('GICv3', 'READ', 'Linux s32g2.dtsi'),
    dma: fact('two eDMA of 32 channels', 'READ', 'Linux s32g2.dtsi'),
    dmaRegulation: fact('QoS generators like QoS-400', 'RECALLED', 'S32G2 reference manual'),
  },
  cores: fact(4, 'READ', 'Linux s32g2.dtsi'),
  cpuHz: fact(1_000_000_000, 'RECALLED', 'S32G2 data sheet'),
  pageColors: fact(8, 'RECALLED', '32 KiB a way / 4 KiB'),
  gic: 3,
  costScale: 1.2,
})

const tx2 = outlined({
  name: 'tx2',
  title: 'NVIDIA Jetson TX2 (Tegra186), its Cortex-A57 cluster',
  hardware: {
    processor: fact(
      'four Cortex-A57 at 2.0 GHz; two Denver 2, which are left out here',
      'cores READ, clock RECALLED',
      'Linux tegra186.dtsi; Jetson TX2 data sheet',
    ),
    caches: fact('L2 2 MiB, 2048 sets of 64-byte lines, a cluster', 'READ', 'Linux tegra186.dtsi'),
    interruptController: fact(
      'GIC-400 (GICv2)',
      'version READ, model RECALLED',
      'jailhouse configs/arm64/jetson-tx2.c',
    ),
    dma: fact('GPCDMA, 32 channels', 'RECALLED', 'Tegra X2 technical reference manual'),
    dmaRegulation: fact('arbiter of the memory controller', 'RECALLED', 'Tegra X2 technical reference manual'),
  },
  cores: fact(4, 'READ', 'Linux tegra186.dtsi; jailhouse configs/arm64/jetson-tx2.c takes these four'),
  cpuHz: fact(2_000_000_000, 'RECALLED', 'Jetson TX2 data sheet'),
  pageColors: fact(32, 'DERIVED', 'Linux tegra186.dtsi: 2048 sets x 64 bytes / 4 KiB'),
  gic: 2,
  costScale: 0.45,
})

const vck190 = outlined({
  name: 'vck190',
  title: 'AMD VCK190 (Versal VC1902)',
  hardware: {
    processor: fact(
      'two Cortex-A72 at 1.7 GHz',
      'cores READ, clock RECALLED',
      'linux-xlnx versal.dtsi; Versal data sheet',
    ),
    caches: fact('L2 1 MiB, 16 ways of 64 KiB, shared by the cores', 'RECALLED', 'Cortex-A72 TRM'),
    interruptController: fact('GIC-500 (GICv3)', 'version READ, model RECALLED', 'linux-xlnx versal.dtsi'),
    dma: fact('LPD DMA, 8 channels of 64 bit, common buffer of 4 KiB', 'READ', 'linux-xlnx versal.dtsi; AM011'),
    dmaRegulation: fact('RATE_CTRL; quality of service of the NoC', 'READ', 'AM011'),
  },
  cores: fact(2, 'READ', 'linux-xlnx versal.dtsi'),
  cpuHz: fact(
    1_700_000_000,
    'RECALLED',
    'Versal data sheet; linux-xlnx versal.dtsi has 1 199 999 988 as its fastest operating point',
  ),
  pageColors: fact(16, 'RECALLED', '64 KiB a way / 4 KiB'),
  gic: 3,
  costScale: 0.45,
  dmaWireBytesPerNs: fact(4.8, 'ASSUMED', '64 bit (READ) at 600 MHz, the clock of the LPD DMA of the zcu102'),
  dmaRateControl: fact(
    { clockHz: 600_000_000, burstBytes: 64, maximumCount: 4095 },
    'mechanism and burst READ, clock and count ASSUMED',
    'AM011: RATE_CTRL, 64 bytes a transaction; clock and count as on the zcu102',
  ),
})

/** Profiles by name, as a scenario's `platform` names them. */
export const BOARD_PROFILES: Readonly<Record<string, BoardProfile>> = { zcu102, rpi4, imx8qm, s32g2, tx2, vck190 }

/** Throws `VirtioError` UNKNOWN_PLATFORM; nobody reads files here. */
export function profileOf(platform: string): BoardProfile {
  if (Object.hasOwn(BOARD_PROFILES, platform)) return BOARD_PROFILES[platform]!
  const fix = platform.startsWith('file:')
    ? 'read the file with parseBoardProfile, and pass what it returns as `profile`'
    : oneOf(platform, Object.keys(BOARD_PROFILES))
  throw new VirtioError('UNKNOWN_PLATFORM', `platform "${platform}" is not built in; ${fix}`)
}

/** The profile of a scenario that names no files. Throws `VirtioError` UNKNOWN_PLATFORM or UNREAD_CALIBRATION. */
export function builtInProfile({ platform, calibration }: Scenario): BoardProfile {
  if (calibration === null) return profileOf(platform)
  const fix = 'read the file with parseCalibration, and pass what calibrated returns as `profile`'
  throw new VirtioError('UNREAD_CALIBRATION', `calibration "${calibration}" was not read; ${fix}`)
}
