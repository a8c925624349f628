import fc from 'fast-check'
import {
  brokenDependency,
  closedSubset,
  DEVICE_FEATURES,
  FeatureSet,
  featureBit,
  featureDependencies,
  featureName,
  VIRTIO_F_IN_ORDER,
  VIRTIO_F_NOTIFICATION_DATA,
  VIRTIO_F_SUSPEND,
  VIRTIO_F_VERSION_1,
  VIRTIO_ID_NET,
  VIRTIO_ID_VSOCK,
} from 'virtio-sdk/virtio'
import { describe, expect, it } from 'vitest'
import { ON_SPLIT_RINGS } from '../on-split-rings.ts'
import { BareDevice } from './bare-device.ts'

const NET = DEVICE_FEATURES[VIRTIO_ID_NET]
const bits = fc.uniqueArray(fc.integer({ min: 0, max: 127 }))

describe('FeatureSet', () => {
  it('IMP-FEAT-01: four windows hold 128 bits, windows above read 0', () => {
    fc.assert(
      fc.property(bits, (list) => {
        const set = FeatureSet.of(...list)
        const again = [0, 1, 2, 3, 4].reduce((sum, w) => sum.withWindow(w, set.window(w)), FeatureSet.empty)
        expect(again.equals(set)).toBe(true)
        expect(set.toArray()).toEqual([...list].sort((a, b) => a - b))
        expect(set.window(4)).toBe(0)
      }),
    )
  })

  it('is an algebra of sets', () => {
    fc.assert(
      fc.property(bits, bits, (a, b) => {
        const [x, y] = [FeatureSet.of(...a), FeatureSet.of(...b)]
        expect(x.intersection(y).isSubsetOf(x)).toBe(true)
        expect(x.isSubsetOf(x.union(y))).toBe(true)
        expect(x.difference(y).intersection(y).equals(FeatureSet.empty)).toBe(true)
        expect(x.difference(y).union(x.intersection(y)).equals(x)).toBe(true)
      }),
    )
  })
})

describe('names', () => {
  it('belong to a device type', () => {
    expect(featureName(0, VIRTIO_ID_NET)).toBe('VIRTIO_NET_F_CSUM')
    expect(featureName(0, VIRTIO_ID_VSOCK)).toBe('VIRTIO_VSOCK_F_STREAM')
    expect(featureName(32, 0x7777)).toBe('VIRTIO_F_VERSION_1')
    expect(featureName(100, VIRTIO_ID_NET)).toBe('feature 100')
    expect(featureBit('VIRTIO_NET_F_MQ', VIRTIO_ID_NET)).toBe(22)
    expect(featureBit('VIRTIO_NET_F_MQ', VIRTIO_ID_VSOCK)).toBeUndefined()
    expect(featureBit('VIRTIO_F_VERSION_1', VIRTIO_ID_VSOCK)).toBe(32)
  })
})

describe('dependencies', () => {
  const rules = featureDependencies(VIRTIO_ID_NET)

  it('FEAT-DRV-02: what virtio 1.4 §5.1.3.1 says', () => {
    const broken = (...list: number[]) => brokenDependency(FeatureSet.of(...list), rules) !== undefined
    expect(broken(NET.VIRTIO_NET_F_MQ)).toBe(true)
    expect(broken(NET.VIRTIO_NET_F_MQ, NET.VIRTIO_NET_F_CTRL_VQ)).toBe(false)
    expect(broken(NET.VIRTIO_NET_F_HOST_ECN, NET.VIRTIO_NET_F_CSUM)).toBe(true)
    expect(broken(NET.VIRTIO_NET_F_HOST_ECN, NET.VIRTIO_NET_F_HOST_TSO6, NET.VIRTIO_NET_F_CSUM)).toBe(false)
    expect(broken(NET.VIRTIO_NET_F_HASH_TUNNEL, NET.VIRTIO_NET_F_CTRL_VQ)).toBe(true)
    expect(broken(NET.VIRTIO_NET_F_HASH_TUNNEL, NET.VIRTIO_NET_F_CTRL_VQ, NET.VIRTIO_NET_F_HASH_REPORT)).toBe(false)
  })

  it('the closed subset is closed, and the largest: adding any dropped feature breaks a rule', () => {
    const netBits = fc.uniqueArray(fc.constantFrom(...Object.values(NET)))
    fc.assert(
      fc.property(netBits, (list) => {
        const set = FeatureSet.of(...list)
        const closed = closedSubset(set, rules)
        expect(closed.isSubsetOf(set)).toBe(true)
        expect(brokenDependency(closed, rules)).toBeUndefined()
        for (const bit of set.difference(closed).toArray())
          expect(brokenDependency(closed.with(bit), rules)).toBeDefined()
      }),
    )
  })
})

describe('negotiation at the registers', () => {
  const offered = FeatureSet.of(0, 1, 2)
  const dependencies = [{ feature: 1, anyOf: [0] }]

  it('FEAT-DEV-02, FEAT-DEV-03, RFB-DEV-02: every subset is accepted exactly when it is closed, offered and has VERSION_1', () => {
    for (let subset = 0; subset < 32; subset++) {
      const device = new BareDevice({ features: offered, dependencies })
      const list = [0, 1, 2, 3, 32].filter((_, i) => subset & (1 << i))
      device.registers.writeStatus(1)
      device.registers.writeStatus(3)
      device.accept(...list)
      device.registers.writeStatus(11)
      const legal = list.includes(32) && !list.includes(3) && (!list.includes(1) || list.includes(0))
      expect([list, (device.registers.status & 8) !== 0]).toEqual([list, legal])
      expect(device.violations.length).toBe(legal ? 0 : 1)
    }
  })

  it('FEAT-DEV-01, RFB-DEV-01: an offer that is not closed, or lacks VERSION_1, is our own mistake', () => {
    expect(() => new BareDevice({ features: FeatureSet.of(1), dependencies })).toThrow('FEAT-DEV-01')
    expect(() => new BareDevice({ commonFeatures: FeatureSet.empty })).toThrow('RFB-DEV-01')
  })

  it('FEAT-DEV-04: nothing is offered that no queue here can do (museum 41)', () => {
    for (const bit of [VIRTIO_F_IN_ORDER, VIRTIO_F_NOTIFICATION_DATA, VIRTIO_F_SUSPEND]) {
      const commonFeatures = FeatureSet.of(VIRTIO_F_VERSION_1, bit)
      expect(() => new BareDevice({ commonFeatures })).toThrow('is offered and not implemented (FEAT-DEV-04)')
    }
  })

  it('INIT-DRV-04: features are frozen by FEATURES_OK', () => {
    const device = new BareDevice({ features: offered })
    device.negotiate(0)
    device.accept(32, 0, 2)
    expect(device.registers.features.toArray()).toEqual([0, 32])
    expect(device.violations).toContain('features-after-features-ok')
  })

  it(
    'museum 46: a driver that reads its own features back and modifies them loses VERSION_1, and is refused',
    ON_SPLIT_RINGS,
    () => {
      const device = new BareDevice({ features: offered })
      const { registers } = device
      registers.writeStatus(1)
      registers.writeStatus(3)
      device.accept(VIRTIO_F_VERSION_1)
      // The register is write-only: a read gives what such registers give, 0.
      registers.driverFeaturesSelect = 1
      registers.writeDriverFeatures(0 | (1 << 2))
      registers.writeStatus(11)
      expect(registers.status).toBe(3)
      expect(device.violations).toEqual(['features-not-offered'])
      registers.writeDriverFeatures(0)
      registers.writeStatus(11)
      expect(device.violations[1]).toBe('features-without-version-1')
    },
  )
})
