/**
 * The part of a device's registers that does not depend on its status: what it offers and what its driver has accepted so far (virtio 1.4
 * §2.2), and its configuration as the driver reads it (§2.5).
 */

import { type ConfigRegisters, ConfigSpace } from './config-space.ts'
import { featureDependencies } from './device-features.ts'
import {
  checkRegistersOptions,
  type DeviceRegistersOptions,
  USUAL_COMMON_FEATURES,
} from './device-registers-options.ts'
import { type FeatureDependency, FeatureSet } from './features.ts'
import { checkAccepted, checkOffer } from './negotiation.ts'
import type { ProtocolViolation } from './protocol-violation.ts'

export class ReadableRegisters {
  readonly deviceId: number
  readonly config: ConfigRegisters
  /** Window selectors, as the driver wrote them; out of range is harmless (museum 24). */
  deviceFeaturesSelect = 0
  driverFeaturesSelect = 0
  protected driverFeatures = FeatureSet.empty
  readonly #dependencies: readonly FeatureDependency[]
  #offered: FeatureSet

  /** Throws `VirtioError` FEATURES for an offer that is not closed, or lacks VERSION_1. */
  constructor(options: DeviceRegistersOptions) {
    checkRegistersOptions(options)
    this.deviceId = options.deviceId
    this.config = options.config ?? new ConfigSpace({})
    this.#dependencies = [...featureDependencies(options.deviceId), ...(options.dependencies ?? [])]
    const common = options.commonFeatures ?? USUAL_COMMON_FEATURES
    const own = options.features ?? FeatureSet.empty
    checkOffer(common, own, this.#dependencies, this.deviceId)
    this.#offered = own.union(common)
  }

  get offeredFeatures(): FeatureSet {
    return this.#offered
  }

  /** The transport has a part in the offer: what it does for the device (RFB-DEV-03). */
  protected offer(feature: number): void {
    this.#offered = this.#offered.with(feature)
  }

  get configGeneration(): number {
    return this.config.generation
  }

  readConfig(offset: number, target: Uint8Array): void {
    this.config.read(offset, target)
  }

  readDeviceFeatures(): number {
    return this.offeredFeatures.window(this.deviceFeaturesSelect)
  }

  protected selectDriverFeatures(word: number): void {
    this.driverFeatures = this.driverFeatures.withWindow(this.driverFeaturesSelect, word)
  }

  /** What is wrong with accepting `features`; null when nothing is. */
  protected refusalOf(features: FeatureSet): ProtocolViolation | null {
    return checkAccepted(features, this.offeredFeatures, this.#dependencies, this.deviceId)
  }

  /** As after a reset. */
  protected clearReadable(): void {
    this.config.reset?.()
    this.driverFeatures = FeatureSet.empty
    this.deviceFeaturesSelect = 0
    this.driverFeaturesSelect = 0
  }
}
