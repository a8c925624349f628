/** What a device may offer, and which subsets of it a device agrees to (virtio 1.4 §2.2): the closed ones with VERSION_1. */
import { VirtioError } from '../internal/error.ts'
import {
  VIRTIO_F_ADMIN_VQ,
  VIRTIO_F_IN_ORDER,
  VIRTIO_F_NOTIF_CONFIG_DATA,
  VIRTIO_F_NOTIFICATION_DATA,
  VIRTIO_F_RING_PACKED,
  VIRTIO_F_SR_IOV,
  VIRTIO_F_SUSPEND,
  VIRTIO_F_VERSION_1,
} from './constants.ts'
import { featureName, featureNames } from './device-features.ts'
import { brokenDependency, type FeatureDependency, FeatureSet } from './features.ts'
import { type ProtocolViolation, protocolViolation } from './protocol-violation.ts'

/** What no queue or device of this package can do, so that offering it would be a lie (FEAT-DEV-04). */
const NOT_IMPLEMENTED = FeatureSet.of(
  VIRTIO_F_RING_PACKED,
  VIRTIO_F_IN_ORDER,
  VIRTIO_F_SR_IOV,
  VIRTIO_F_NOTIFICATION_DATA,
  VIRTIO_F_NOTIF_CONFIG_DATA,
  VIRTIO_F_ADMIN_VQ,
  VIRTIO_F_SUSPEND,
)

/** Throws `VirtioError` FEATURES for an offer that no driver could accept as a whole. */
export function checkOffer(offered: FeatureSet, dependencies: readonly FeatureDependency[], deviceId: number): void {
  const broken = brokenDependency(offered, dependencies)
  if (broken !== undefined) {
    const name = featureName(broken.feature, deviceId)
    throw new VirtioError('FEATURES', `${name} is offered without what it depends on (FEAT-DEV-01)`)
  }
  const hollow = offered.intersection(NOT_IMPLEMENTED)
  if (!hollow.equals(FeatureSet.empty)) {
    const names = featureNames(hollow, deviceId).join(', ')
    throw new VirtioError('FEATURES', `${names} is offered and not implemented (FEAT-DEV-04)`)
  }
  if (!offered.has(VIRTIO_F_VERSION_1)) {
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
