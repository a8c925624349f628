/** Which accepted feature sets a device agrees to (virtio 1.4 §2.2): every closed subset of its offer that has VERSION_1. */
import { VIRTIO_F_VERSION_1 } from './constants.ts'
import { featureNames } from './device-features.ts'
import { brokenDependency, type FeatureDependency, FeatureSet } from './features.ts'
import { type ProtocolViolation, protocolViolation } from './protocol-violation.ts'

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
