/** One run of a scenario with QEMU's ZCU102 behind the board. */
import type { BoardProfile } from '../boards/index.ts'
import { builtInProfile } from '../boards/index.ts'
import { VirtioError } from '../internal/error.ts'
import { MachineMemory } from '../machine/index.ts'
import { PAGE_SIZE } from '../memory/index.ts'
import type { SharedMapping } from '../native/index.ts'
import type { Design } from '../plan/index.ts'
import { type DesignResult, simulate } from '../platform-zcu102/index.ts'
import type { Scenario } from '../scenario/index.ts'
import type { TraceRecorder } from '../sim/index.ts'
import { fileOffsetOf, MAX_VMS } from './layout.ts'
import { type BoardFault, QemuBoard, type QemuCounts } from './qemu-board.ts'
import { QemuProcess } from './qemu-process.ts'
import type { DmaFault } from './zdma.ts'

/** Of a mapping. */
const MAX_DRAM_BYTES = 2 ** 30
/** Mappings that Linux lets a process have (vm.max_map_count, 65530), but for those that Node has. */
const MAX_RUNS = 60_000

/** Options of `simulateOnQemu`. */
export interface QemuOptions {
  readonly design: Design
  /** The folder with the sources of what runs on QEMU: `agent` of this package. */
  readonly sources: string
  /** Default: the built-in one that the scenario names. */
  readonly profile?: BoardProfile
  readonly trace?: TraceRecorder
  readonly onProgress?: (simulatedNs: number, totalNs: number) => void
  /** @internal What a test has done wrong. */
  readonly fault?: BoardFault | DmaFault
}

/** What the board says of a run, and what QEMU counted meanwhile. */
export interface QemuResult {
  readonly result: DesignResult
  readonly counts: QemuCounts
  /** As QEMU names itself. */
  readonly version: string
}

/**
 * Runs a scenario as `simulate` does, in the simulated board's time, while QEMU's model of the ZCU102 does all of it: its guests are programs of
 * their own that fill rings and hash payload, its DMA moves the bytes, its interrupt controller and stage-2 translation stand between them. Throws `VirtioError`
 * NO_QEMU, NO_NATIVE_CALLS, NOT_ON_QEMU for what a scenario has and QEMU has not, TOO_LARGE_FOR_QEMU, and QEMU_FAULT when something does not happen as on
 * the board.
 */
export async function simulateOnQemu(scenario: Scenario, options: QemuOptions): Promise<QemuResult> {
  const { design, fault, onProgress, profile = builtInProfile(scenario), sources, trace } = options
  refuse(scenario, profile)
  const { dram } = new MachineMemory(scenario, profile)
  if (dram.bytes.length > MAX_DRAM_BYTES) {
    throw new VirtioError(
      'TOO_LARGE_FOR_QEMU',
      `VMs on QEMU have at most ${MAX_DRAM_BYTES} bytes of RAM together, not ${dram.bytes.length}: give them less ram`,
    )
  }
  const qemu = await QemuProcess.start(sources)
  try {
    const { length } = dram.bytes
    const mapping = await qemu.mapRam(length)
    const boards: QemuBoard[] = []
    const result = simulate(scenario, {
      design,
      profile,
      payload: () => null,
      ram: mapping.bytes,
      behind: (memory) => {
        placeFrames(memory, mapping)
        boards.push(new QemuBoard(qemu, scenario, memory, fault))
        return boards[0]!
      },
      ...(trace !== undefined && { trace }),
      ...(onProgress !== undefined && { onProgress }),
    })
    return { result, counts: boards[0]!.counts, version: qemu.version }
  } finally {
    await qemu.stop()
  }
}

/** Frames lie side by side, as the board has them; each is where its colour puts it. */
function placeFrames({ dram }: MachineMemory, mapping: SharedMapping): void {
  const frames = dram.bytes.length / PAGE_SIZE
  let runs = 0
  for (let first = 0; first < frames; runs++) {
    const address = dram.addressOf(first)
    let pages = 1
    while (first + pages < frames && dram.addressOf(first + pages) === address + pages * PAGE_SIZE) pages++
    if (runs === MAX_RUNS) {
      throw new VirtioError(
        'TOO_LARGE_FOR_QEMU',
        `the VMs' frames are in more than ${MAX_RUNS} runs, because of their colours, and Linux maps no more: give VMs less ram`,
      )
    }
    mapping.place(first * PAGE_SIZE, fileOffsetOf(address), pages * PAGE_SIZE)
    first += pages
  }
}

/** What QEMU's model has no counterpart of. */
function refuse({ vms }: Scenario, { cores }: BoardProfile): void {
  const not = (what: string, instead: string) =>
    new VirtioError('NOT_ON_QEMU', `QEMU's ZCU102 has no ${what}: ${instead}, or run the scenario --on board`)
  if (vms.length > MAX_VMS) throw not(`room for ${vms.length} VMs`, `have at most ${MAX_VMS}`)
  if (cores.value > 4) throw not(`${cores.value} cores`, 'take a board with at most 4')
  if (vms.some(({ memguard }) => memguard != null)) throw not('counters of cache misses', 'leave memguard out')
}
