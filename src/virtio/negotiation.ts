/** What a device may offer, and which subsets of it a device agrees to (virtio 1.4 §2.2): the closed ones with VERSION_1. */
import { VirtioError } from '../internal/error.ts'
import { VIRTIO_F_VERSION_1 } from './constants.ts'
import { featureName, featureNames } from './device-features.ts'
import { SUPPORTED_COMMON_FEATURES } from './device-registers-options.ts'
import { brokenDependency, type FeatureDependency, FeatureSet } from './features.ts'
import { type ProtocolViolation, protocolViolation } from './protocol-violation.ts'

/** Bits of the framework and of no device type: §2.2 has 24..49, of which 42 is left open. */
const FRAMEWORK = FeatureSet.of(...Array.from({ length: 26 }, (_, i) => 24 + i).filter((bit) => bit !== 42))

/**
 * `common` are the framework's features, `own` those of the device type. Throws `VirtioError` FEATURES for an offer that is not true, or
 * that no driver could accept as a whole.
 */
export function checkOffer(
  common: FeatureSet,
  own: FeatureSet,
  dependencies: readonly FeatureDependency[],
  deviceId: number,
): void {
  const names = (set: FeatureSet) => featureNames(set, deviceId).join(', ')
  const broken = brokenDependency(own.union(common), dependencies)
  if (broken !== undefined) {
    const name = featureName(broken.feature, deviceId)
    throw new VirtioError('FEATURES', `${name} is offered without what it depends on (FEAT-DEV-01)`)
  }
  const hollow = common.difference(SUPPORTED_COMMON_FEATURES)
  if (!hollow.equals(FeatureSet.empty)) {
    const there = names(SUPPORTED_COMMON_FEATURES)
    throw new VirtioError(
      'FEATURES',
      `${names(hollow)} is offered and not implemented (FEAT-DEV-04); there are ${there}`,
    )
  }
  const foreign = own.intersection(FRAMEWORK)
  if (!foreign.equals(FeatureSet.empty)) {
    throw new VirtioError(
      'FEATURES',
      `${names(foreign)} is no feature of a device type: see commonFeatures (FEAT-DEV-04)`,
    )
  }
  if (!common.has(VIRTIO_F_VERSION_1)) {
    throw new VirtioError('FEATURES', 'a device always offers VERSION_1 (RFB-DEV-01)')
  }
}

/** What is wrong with accepting `accepted` of `offered`; null when nothing is (FEAT-DEV-02). */
export function checkAccepted(
  accepted: FeatureSet,
  offered: FeatureSet,
  dependencies: readonly FeatureDependency[],
  deviceId: number,
): ProtocolViolation | null {
  const names = (set: FeatureSet) => featureNames(set, deviceId).join(', ')
  if (!accepted.isSubsetOf(offered)) {
    const extra = names(accepted.difference(offered))
    return protocolViolation('features-not-offered', 'FEAT-DRV-01', `accepted but never offered: ${extra}`)
  }
  if (!accepted.has(VIRTIO_F_VERSION_1)) {
    // RFB-DEV-02: the legacy interface is not implemented, so neither is a driver without VERSION_1.
    return protocolViolation('features-without-version-1', 'RFB-DRV-01', 'VERSION_1 was not accepted')
  }
  const broken = brokenDependency(accepted, dependencies)
  if (broken === undefined) return null
  const [feature, needs] = [FeatureSet.of(broken.feature), FeatureSet.of(...broken.anyOf)]
  return protocolViolation('features-not-closed', 'FEAT-DRV-02', `${names(feature)} without ${names(needs)}`)
}
