/** Every section, in the order of the report, with the experiment that it needs. */
import type { ReportData } from '../../report-data.ts'
import type { Section } from '../section.ts'
import { acceptanceSection, levelsSection, variantsSection } from './acceptance.ts'
import { pessimismSection } from './pessimism.ts'

export const SECTIONS: readonly {
  readonly experiment: string
  readonly make: (data: ReportData) => Section | null
}[] = [
  { experiment: 'acceptance', make: acceptanceSection },
  { experiment: 'acceptance-variants', make: variantsSection },
  { experiment: 'priority-levels', make: levelsSection },
  { experiment: 'pessimism', make: pessimismSection },
]
