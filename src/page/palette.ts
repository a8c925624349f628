/**
 * One look for each design, analysis and option, the same in every chart. Hues stay apart for the colour-blind (after Okabe and
 * Ito), lightness and dash and symbol stay apart in greyscale.
 */
import type { Series } from './chart.ts'

type Look = Omit<Series, 'key'>

const LOOKS: Readonly<Record<string, Look>> = {
  dedicated: { label: 'dedicated', color: 'dedicated', dash: '6 3', symbol: 'triangle' },
  floating: { label: 'floating', color: 'floating', dash: null, symbol: 'circle' },
  'floating-plain': { label: 'floating, plain', color: 'plain', dash: '2 2', symbol: 'diamond' },
  'floating-minimum': { label: 'floating, minimum', color: 'floating', dash: null, symbol: 'circle' },
  'floating-look-ahead': { label: 'floating + look-ahead', color: 'look-ahead', dash: '2 2', symbol: 'diamond' },
  'zero-copy': { label: 'zero-copy mix', color: 'zero-copy', dash: '9 2 2 2', symbol: 'square' },
  copy: { label: 'copy', color: 'floating', dash: null, symbol: 'circle' },
  remap: { label: 'remap', color: 'zero-copy', dash: '9 2 2 2', symbol: 'square' },
  lend: { label: 'lend', color: 'plain', dash: '2 2', symbol: 'diamond' },
  median: { label: 'median', color: 'a0', dash: null, symbol: 'circle' },
  p99: { label: '99th percentile', color: 'a3', dash: null, symbol: 'square' },
  max: { label: 'maximum', color: 'floating', dash: null, symbol: 'diamond' },
  deadline: { label: 'deadline', color: 'dedicated', dash: null, symbol: 'diamond', hollow: true },
  bound: { label: 'bound (A4, end to end)', color: 'a4', dash: null, symbol: 'triangle', hollow: true },
  A0: { label: 'A0, reconstructed baseline', color: 'a0', dash: '2 2', symbol: 'square' },
  A3: { label: 'A3', color: 'a3', dash: '6 3', symbol: 'triangle' },
  A4: { label: 'A4', color: 'a4', dash: null, symbol: 'circle' },
  A5: { label: 'A5', color: 'a5', dash: '9 2 2 2', symbol: 'diamond' },
}

/** For what has no look of its own: in this order. */
const OTHERS: readonly Omit<Look, 'label'>[] = [
  { color: 'floating', dash: null, symbol: 'circle' },
  { color: 'dedicated', dash: '6 3', symbol: 'triangle' },
  { color: 'zero-copy', dash: '9 2 2 2', symbol: 'square' },
  { color: 'plain', dash: '2 2', symbol: 'diamond' },
  { color: 'a3', dash: '12 3', symbol: 'star' },
  { color: 'a0', dash: '4 4', symbol: 'cross' },
]

export function seriesOf(keys: readonly string[], labels: Readonly<Record<string, string>> = {}): Series[] {
  return keys.map((key, i) => {
    const look = LOOKS[key] ?? { label: key, ...OTHERS[i % OTHERS.length]! }
    return { key, ...look, label: labels[key] ?? look.label }
  })
}
