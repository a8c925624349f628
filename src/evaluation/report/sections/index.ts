/** Every section, in the order of the report, with the experiment that it needs. */
import type { ReportData } from '../../report-data.ts'
import type { Section } from '../section.ts'
import { acceptanceSection, levelsSection, variantsSection } from './acceptance.ts'
import { copyRemapSection } from './copy-remap.ts'
import { interruptsSection } from './interrupts.ts'
import { latencySection } from './latency.ts'
import { memguardSection } from './memguard.ts'
import { pessimismSection } from './pessimism.ts'
import { platformsSection, sensitivitySection } from './platforms.ts'
import { stolenTimeSection } from './stolen-time.ts'

export const SECTIONS: readonly {
  readonly experiment: string
  readonly make: (data: ReportData) => Section | null
}[] = [
  { experiment: 'acceptance', make: acceptanceSection },
  { experiment: 'acceptance-variants', make: variantsSection },
  { experiment: 'priority-levels', make: levelsSection },
  { experiment: 'pessimism', make: pessimismSection },
  { experiment: 'interrupts', make: interruptsSection },
  { experiment: 'stolen-time', make: stolenTimeSection },
  { experiment: 'latency', make: latencySection },
  { experiment: 'copy-remap', make: copyRemapSection },
  { experiment: 'memguard', make: memguardSection },
  { experiment: 'platforms', make: platformsSection },
  { experiment: 'sensitivity', make: sensitivitySection },
]
