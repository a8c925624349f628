/** Which features a ring has: what is asked for, and both sides have. */
import type { PackedFeature, TargetLack } from './queue-targets.ts'

interface AskedFeatures {
  readonly eventIdx: boolean
  readonly indirect: boolean
  readonly inOrder?: boolean
}

interface Side {
  readonly lacks?: readonly (TargetLack | PackedFeature)[]
}

const FEATURES = ['eventIdx', 'indirect', 'inOrder'] as const

/** `asked`, with every feature off that one of `sides` lacks. */
export function negotiate<Asked extends AskedFeatures>(asked: Asked, ...sides: readonly Side[]): Asked {
  const off = FEATURES.filter((feature) => asked[feature] && sides.some(({ lacks }) => lacks?.includes(feature)))
  return off.length === 0 ? asked : { ...asked, ...Object.fromEntries(off.map((feature) => [feature, false])) }
}
