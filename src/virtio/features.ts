/**
 * A set of feature bits 0..127 (virtio 1.4 §2.2): immutable, compared by value. Negotiation is rare, so it is a bigint inside;
 * nothing on a hot path asks it, a queue learns what was negotiated when it is created.
 */
import { checkArray, checkInteger, checkObject, refuseOption } from '../internal/check-option.ts'
import { FEATURE_BITS, FEATURE_WINDOWS } from './constants.ts'

const ALL = (1n << BigInt(FEATURE_BITS)) - 1n

/**
 * A set of feature bits, 0 to 127. It never changes; every operation makes another. A bit that is none is a `VirtioError`
 * INVALID_OPTION.
 */
export class FeatureSet {
  static readonly empty = new FeatureSet(0n)

  readonly bits: bigint

  /** Bits above 127 do not exist and are dropped. */
  constructor(bits: bigint) {
    if (typeof bits !== 'bigint') refuseOption('bits', bits, 'a bigint')
    this.bits = bits & ALL
  }

  static of(...bits: readonly number[]): FeatureSet {
    return bits.reduce((set, bit) => set.with(bit), FeatureSet.empty)
  }

  has(bit: number): boolean {
    checkBit(bit)
    return ((this.bits >> BigInt(bit)) & 1n) === 1n
  }

  with(bit: number): FeatureSet {
    checkBit(bit)
    return new FeatureSet(this.bits | (1n << BigInt(bit)))
  }

  without(bit: number): FeatureSet {
    checkBit(bit)
    return new FeatureSet(this.bits & ~(1n << BigInt(bit)))
  }

  union(other: FeatureSet): FeatureSet {
    checkFeatureSet('other', other)
    return new FeatureSet(this.bits | other.bits)
  }

  intersection(other: FeatureSet): FeatureSet {
    checkFeatureSet('other', other)
    return new FeatureSet(this.bits & other.bits)
  }

  /** Bits of this set that `other` lacks. */
  difference(other: FeatureSet): FeatureSet {
    checkFeatureSet('other', other)
    return new FeatureSet(this.bits & ~other.bits)
  }

  isSubsetOf(other: FeatureSet): boolean {
    checkFeatureSet('other', other)
    return (this.bits & ~other.bits) === 0n
  }

  equals(other: FeatureSet): boolean {
    checkFeatureSet('other', other)
    return this.bits === other.bits
  }

  /** One 32-bit window as transports show it: window 0 holds bits 0..31. Windows past the last read 0 (IMP-FEAT-01). */
  window(index: number): number {
    return index >= 0 && index < FEATURE_WINDOWS ? Number((this.bits >> BigInt(32 * index)) & 0xffff_ffffn) : 0
  }

  /** The set with one window replaced. A window past the last changes nothing. */
  withWindow(index: number, word: number): FeatureSet {
    if (index < 0 || index >= FEATURE_WINDOWS) return this
    const shift = BigInt(32 * index)
    return new FeatureSet((this.bits & ~(0xffff_ffffn << shift)) | (BigInt(word >>> 0) << shift))
  }

  /** Ascending bit numbers. */
  toArray(): number[] {
    return Array.from({ length: FEATURE_BITS }, (_, bit) => bit).filter((bit) => this.has(bit))
  }
}

function checkBit(bit: number): void {
  checkInteger('feature', bit, 0, FEATURE_BITS - 1)
}

/** Also a set of another copy of this package. Throws `VirtioError` INVALID_OPTION. */
export function checkFeatureSet(name: string, value: unknown): asserts value is FeatureSet {
  if (typeof (value as FeatureSet | null | undefined)?.bits !== 'bigint') refuseOption(name, value, 'a FeatureSet')
}

/** `feature` may only be offered or accepted together with at least one of `anyOf`. Several rules for one feature all hold. */
export interface FeatureDependency {
  readonly feature: number
  readonly anyOf: readonly number[]
}

/** Throws `VirtioError` INVALID_OPTION for what are no rules. */
export function checkDependencies(value: unknown): asserts value is readonly FeatureDependency[] {
  checkArray('dependencies', value, 'an array of FeatureDependency')
  for (const [i, rule] of value.entries()) {
    checkObject(`dependencies[${i}]`, rule, 'a FeatureDependency')
    const { feature, anyOf } = rule as Partial<FeatureDependency>
    checkInteger(`dependencies[${i}].feature`, feature, 0, FEATURE_BITS - 1)
    checkArray(`dependencies[${i}].anyOf`, anyOf, 'an array of bits')
    for (const bit of anyOf) checkInteger(`dependencies[${i}].anyOf`, bit, 0, FEATURE_BITS - 1)
  }
}

/** The first rule that `features` breaks; undefined when the set is closed (FEAT-DRV-02, FEAT-DEV-01). */
export function brokenDependency(
  features: FeatureSet,
  dependencies: readonly FeatureDependency[],
): FeatureDependency | undefined {
  checkFeatureSet('features', features)
  checkArray('dependencies', dependencies, 'an array of FeatureDependency')
  return dependencies.find((rule) => features.has(rule.feature) && !rule.anyOf.some((bit) => features.has(bit)))
}

/** The largest closed subset: features without their prerequisites are dropped until none is left. */
export function closedSubset(features: FeatureSet, dependencies: readonly FeatureDependency[]): FeatureSet {
  let subset = features
  for (;;) {
    const rule = brokenDependency(subset, dependencies)
    if (rule === undefined) return subset
    subset = subset.without(rule.feature)
  }
}
