/** The Xilinx ZCU102 (Zynq UltraScale+ XCZU9EG): four Cortex-A53, GIC-400, FPD DMA (UG1085 ch. 19). */
import { type BoardProfile, type CostTriple, type Fact, fact } from './board-profile.ts'

function cost(value: CostTriple, status: string, source: string): Fact<CostTriple> {
  return { value, status, source }
}

const CODE_PATHS = 'order of magnitude of code paths READ in Jailhouse'

/** The built-in profile of the ZCU102. */
export const zcu102: BoardProfile = {
  name: 'zcu102',
  title: 'Xilinx ZCU102, Jailhouse',
  hardware: {
    processor: fact('four Cortex-A53', 'READ', 'Linux zynqmp.dtsi'),
    caches: fact(
      'L1 32 + 32 KiB a core; L2 1 MiB, 16 ways of 64 KiB, 64-byte lines, shared by the cores',
      'READ, line size RECALLED',
      'arXiv 2303.11186',
    ),
    interruptController: fact('GIC-400 (GICv2)', 'READ', 'jailhouse configs/arm64/zynqmp-zcu102.c; arXiv 2303.11186'),
    dma: fact(
      'FPD DMA, 8 channels of 128 bit at 600 MHz with a common buffer of 4 KiB; scatter-gather, pause after a descriptor',
      'READ',
      'Linux zynqmp.dtsi; UG1085; UG1087',
    ),
    dmaRegulation: fact(
      'RATE_CTRL: one AXI transaction every CNT clocks; QoS-400 on the ports',
      'READ',
      'AM011; Linux zynqmp_dma.c; UG1087; public Jailhouse QoS headers',
    ),
  },
  cores: fact(4, 'READ', 'Linux zynqmp.dtsi'),
  cpuHz: fact(1_199_999_988, 'READ', 'Linux zynqmp.dtsi, OPP table'),
  pageColors: fact(16, 'READ', 'Jailhouse cache-coloring notes: 64 KiB a way / 4 KiB'),
  listRegisters: fact(4, 'READ', 'GIC-400; jailhouse configs/arm64/zynqmp-zcu102.c'),
  dmaBytesPerNs: fact(1.0, 'ASSUMED', 'no public measurement found; the most influential unknown'),
  dmaWireBytesPerNs: fact(9.6, 'DERIVED', '128 bit x 600 MHz a direction'),
  dmaRateControl: fact(
    { clockHz: 600_000_000, burstBytes: 256, maximumCount: 4095 },
    'READ, burst length DERIVED',
    'UG1085 ch. 19 Rate Control; 12-bit CNT and 4-bit ARLEN: 16 beats of 128 bits',
  ),
  dmaPrefetchedPieces: fact(0, 'ASSUMED', 'UG1085 says that descriptors are prefetched, not how many'),
  costsNs: {
    mmioTrap: cost(
      [285, 430, 3000],
      'ratio READ x hvc ASSUMED',
      'KVM MMIO/HVC 1.47-1.56; upper bound 1035 hot (seL4 fault)',
    ),
    hvc: cost([190, 280, 1650], 'bounds READ, typical ASSUMED', 'L4Re EL2 190; TF-A cold SMC 1590-1660'),
    irqEntryAck: cost(
      [350, 500, 3000],
      'DERIVED split',
      'at most seL4 zcu106 410-624; split of a whole exit with injection',
    ),
    gicAccess: cost([60, 150, 400], 'ASSUMED', 'one or two device accesses; part of irqEntryAck'),
    injectListRegister: cost([250, 500, 3000], 'DERIVED split', 'rest of a whole exit of 1150'),
    sgi: cost([400, 700, 1200], 'bracketed by READ', 'AM62P 693; seL4 round trip 1014'),
    lockCriticalSection: cost([150, 250, 400], 'ASSUMED', CODE_PATHS),
    fetchDescriptor: cost([200, 350, 700], 'ASSUMED', CODE_PATHS),
    pick: cost([80, 150, 400], 'ASSUMED', CODE_PATHS),
    messageOverhead: cost([0, 0, 0], 'DERIVED', 'contained in the other costs; a scenario may pin it'),
    dmaSetup: cost([300, 500, 800], 'ASSUMED', 'no source'),
    dmaPerDescriptor: cost([40, 80, 200], 'ASSUMED', CODE_PATHS),
    usedRing: cost([120, 250, 500], 'ASSUMED', CODE_PATHS),
    pteUpdate: cost([80, 200, 450], 'ASSUMED, upper bound READ', 'seL4 map system call 442-648 a page in total'),
    tlbInvalidate: cost([75, 300, 1000], 'best DERIVED, rest ASSUMED', 'local 62-75; IPI shoot-down 1014 in total'),
    tlbRefill: cost([0, 15_000, 60_000], 'typical DERIVED, worst ASSUMED', '13-17 ns x 512 entries, single stage'),
    cacheCleanPerLine: cost([3, 10, 30], 'best DERIVED, rest ASSUMED', 'Juno 2.9-5.3; memset rate 8.9'),
    smmuInvalidate: cost([200, 600, 3000], 'ASSUMED', 'two device register writes and a poll of the sync status'),
    copyPerLine: cost(
      [7, 40, 130],
      'best and typical DERIVED, worst ASSUMED',
      'L2 to L2 at 8 bytes a cycle; 1.3-2.2 bytes/ns on five A53 boards (sbc-bench); a DRAM line fill each',
    ),
    guestSend: cost([300, 800, 2000], 'ASSUMED', CODE_PATHS),
    guestIsr: cost(
      [500, 1200, 6400],
      'worst READ and scaled, rest ASSUMED',
      'FreeRTOS SMP task-ISR-task 5.5 us on AM62x',
    ),
  },
}
