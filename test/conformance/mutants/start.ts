/** Status, features, reset, initialisation and configuration: faults of `src/virtio`. */
import { type Mutant, mutantsOf } from './mutant.ts'

const START_DRIVER = mutantsOf(
  'src/virtio/connect.ts',
  [
    'STATUS-DRV-01 INIT-DRV-01',
    'ACKNOWLEDGE and DRIVER are written at once',
    'this.#addStatus(ACKNOWLEDGE)\n    this.#addStatus(DRIVER)\n',
    'this.#addStatus(ACKNOWLEDGE | DRIVER)\n',
  ],
  ['STATUS-DRV-02', 'each step drops the bits of the ones before', 'this.#status |= bit', 'this.#status = bit'],
  [
    'STATUS-DRV-03',
    'a driver does not begin with a reset',
    'transport.writeStatus(0)\n  for (let polls = 0; transport.readStatus() !== 0; polls++) if (',
    'for (let polls = 0; transport.readStatus() !== 0; polls++) if (',
  ],
  [
    'RESET-DRV-01',
    'a driver does not wait for the end of the reset',
    'for (let polls = 0; transport.readStatus() !== 0; polls++) if (polls === RESET_POLLS) throw resetTimeout()',
    '',
  ],
  [
    'FEAT-DRV-01',
    'what is wanted is accepted, offered or not',
    'closedSubset(wanted.intersection(offered), ',
    'closedSubset(wanted, ',
  ],
  [
    'FEAT-DRV-02',
    'a feature is accepted without what it depends on',
    'closedSubset(wanted.intersection(offered), contractDependencies(this.#contract))',
    'wanted.intersection(offered)',
  ],
  [
    'FEAT-DRV-03 RFB-DRV-02',
    'VERSION_1 is not required of a device',
    'bits(this.#options.require).with(VIRTIO_F_VERSION_1)',
    'bits(this.#options.require)',
  ],
  [
    'FEAT-DRV-04 FEAT-DRV-05',
    'whatever is offered is accepted',
    'closedSubset(wanted.intersection(offered), ',
    'closedSubset(offered, ',
  ],
  [
    'FEAT-DRV-05',
    'a driver takes an unknown bit when it is asked to',
    'const untrue = common.difference(DRIVER_COMMON_FEATURES)',
    'const untrue = FeatureSet.empty',
  ],
  [
    'FEAT-DRV-06',
    'a feature that is wanted and not offered ends the driver',
    'const missing = required.difference(accepted)',
    'const missing = wanted.difference(accepted)',
  ],
  ['FEAT-DRV-07 INIT-DRV-05', 'a step that failed leaves no FAILED', 'this.#addStatus(FAILED)', ''],
  [
    'FEAT-DRV-08',
    'an unknown bit in the offer ends the driver',
    'const { indirectLength = 0 } = this.#options\n    const bits',
    "if (offered.has(60)) throw new VirtioError('FEATURES', 'feature 60')\n    const { indirectLength = 0 } = this.#options\n    const bits",
  ],
  [
    'INIT-DRV-06',
    'the driver goes on with a queue that was refused',
    'if (!this.#transport.enableQueue(index)) {',
    'if (!this.#transport.enableQueue(index) && index < 0) {',
  ],
  [
    'INIT-DRV-07',
    'a queue is kicked before DRIVER_OK',
    'this.#addStatus(DRIVER_OK)',
    'this.#transport.notify(0)\n    this.#addStatus(DRIVER_OK)',
  ],
  ['SUSP-DRV-01', 'SUSPEND is written with DRIVER_OK', 'this.#addStatus(DRIVER_OK)', 'this.#addStatus(DRIVER_OK | 16)'],
  [
    'IMP-STAT-02',
    'FEATURES_OK is not read back',
    'if ((this.#transport.readStatus() & FEATURES_OK) === 0) {',
    'if (this.#status === 0) {',
  ],
  [
    'RFB-DRV-01',
    'VERSION_1 is taken only when commonFeatures has it',
    'const wanted = required.union(bits(this.#options.want))',
    'const wanted = bits(this.#options.want)',
  ],
  [
    'RFB-DRV-03',
    'an offer of ACCESS_PLATFORM is not taken',
    'FeatureSet.of(VIRTIO_F_ACCESS_PLATFORM, VIRTIO_F_ORDER_PLATFORM)',
    'FeatureSet.of(VIRTIO_F_ORDER_PLATFORM)',
  ],
  [
    'RFB-DRV-07',
    'an offer of ORDER_PLATFORM is not taken',
    'FeatureSet.of(VIRTIO_F_ACCESS_PLATFORM, VIRTIO_F_ORDER_PLATFORM)',
    'FeatureSet.of(VIRTIO_F_ACCESS_PLATFORM)',
  ],
)

const DRIVER_FEATURES = mutantsOf('src/virtio/driver-features.ts', [
  'RFB-DRV-10',
  'a driver takes SR_IOV when it is asked to',
  'VIRTIO_F_RING_PACKED,\n)\n',
  'VIRTIO_F_RING_PACKED,\n  37,\n)\n',
])

const REGISTERS = mutantsOf(
  'src/virtio/device-registers.ts',
  [
    'STATUS-DEV-01',
    'interrupts are raised before DRIVER_OK',
    'if ((this.#status & DRIVER_OK) === 0 || this.#resetting) return\n    this.#interruptStatus',
    'if (this.#resetting) return\n    this.#interruptStatus',
  ],
  [
    'STATUS-DEV-02',
    'a broken ring asks for no reset',
    "if (this.#policy === 'needs-reset') this.setNeedsReset(violation)",
    '',
  ],
  [
    'STATUS-DEV-03',
    'NEEDS_RESET brings no notification',
    'this.#setStatus(this.#status | DEVICE_NEEDS_RESET)\n    this.notifyConfigChange()',
    'this.#setStatus(this.#status | DEVICE_NEEDS_RESET)',
  ],
  [
    'FEAT-DEV-03',
    'FEATURES_OK stays set over a subset that is refused',
    'this.reportViolation(refusal)\n        return\n',
    'this.reportViolation(refusal)\n',
  ],
  ['RESET-DEV-01', 'FAILED outlives a reset', 'this.#setStatus(0)', 'this.#setStatus(this.#status & FAILED)'],
  [
    'INIT-DRV-03',
    'configuration is written before FEATURES_OK',
    'if ((this.#status & FEATURES_OK) === 0 && this.config.isEarly',
    'if (this.#resetting && this.config.isEarly',
  ],
  [
    'INIT-DRV-04',
    'features are still taken after FEATURES_OK',
    "if ((this.#status & FEATURES_OK) !== 0) {\n      this.#reject('features-after",
    "if (this.#resetting) {\n      this.#reject('features-after",
  ],
  [
    'SUSP-DEV-01',
    'SUSPEND is taken at any time',
    'checkStatusWrite(this.#status, value)',
    'checkStatusWrite(this.#status, value & ~16)',
  ],
  [
    'RFB-DEV-03',
    'a transport that grants part of the memory does not say so',
    'if (transport.limitsAccess === true) this.offer(VIRTIO_F_ACCESS_PLATFORM)',
    '',
  ],
  [
    'IMP-VQRST-01',
    'a queue is reset whether RING_RESET was negotiated or not',
    'else if (!this.features.has(VIRTIO_F_RING_RESET)) {',
    'else if (this.#resetting) {',
  ],
  [
    'IMP-VQ-01',
    'a kick of a queue that is not enabled reaches the device',
    'if (queue === undefined || queue.ring === null) {\n      this.#reject',
    'if (queue === undefined) {\n      this.#reject',
  ],
  [
    'VQS-NTF-DEV-11',
    'a device needs a reset after a kick with nothing new',
    'return this.#model.onNotify(index)',
    'if (queue.ring.availableCount() === 0) this.setNeedsReset()\n    return this.#model.onNotify(index)',
  ],
)

const OFFERS = mutantsOf(
  'src/virtio/device-registers-options.ts',
  ['FEAT-DEV-04 RFB-DEV-10', 'a device may offer SR_IOV', 'VIRTIO_F_RING_RESET,\n)', 'VIRTIO_F_RING_RESET,\n  37,\n)'],
  ['FEAT-DEV-04', 'a device may offer NOTIF_CONFIG_DATA', 'VIRTIO_F_RING_RESET,\n)', 'VIRTIO_F_RING_RESET,\n  39,\n)'],
  ['FEAT-DEV-04', 'a device may offer ADMIN_VQ', 'VIRTIO_F_RING_RESET,\n)', 'VIRTIO_F_RING_RESET,\n  41,\n)'],
  ['FEAT-DEV-04', 'a device may offer RING_PACKED', 'VIRTIO_F_RING_RESET,\n)', 'VIRTIO_F_RING_RESET,\n  34,\n)'],
)

const NEGOTIATION = mutantsOf(
  'src/virtio/negotiation.ts',
  [
    'FEAT-DEV-01',
    'an offer that is not closed is made',
    'const broken = brokenDependency(own.union(common), dependencies)',
    'const broken = undefined as FeatureDependency | undefined',
  ],
  [
    'FEAT-DEV-02',
    'only the whole offer is accepted',
    'if (!accepted.isSubsetOf(offered)) {',
    'if (!accepted.equals(offered)) {',
  ],
  [
    'FEAT-DEV-04',
    'a bit of the framework may be a feature of a device type',
    'const foreign = own.intersection(FRAMEWORK)',
    'const foreign = own.difference(own)',
  ],
  [
    'RFB-DEV-01',
    'a device may leave VERSION_1 out of its offer',
    'if (!common.has(VIRTIO_F_VERSION_1)) {',
    'if (!common.equals(common)) {',
  ],
  [
    'RFB-DEV-02',
    'a driver without VERSION_1 is accepted',
    'if (!accepted.has(VIRTIO_F_VERSION_1)) {',
    'if (!accepted.equals(accepted)) {',
  ],
  [
    'RFB-DEV-04',
    'a driver that declined ACCESS_PLATFORM is refused',
    'if (!accepted.isSubsetOf(offered)) {',
    'if (!accepted.isSubsetOf(offered) || (offered.has(33) && !accepted.has(33))) {',
  ],
)

const CONFIG = [
  ...mutantsOf(
    'src/virtio/driver-config.ts',
    [
      'CFG-DRV-01',
      'several fields are taken for one atomic read',
      'if (this.#transport.readConfigGeneration() === before) return',
      'if (wanted.length > 1 || this.#transport.readConfigGeneration() === before) return',
    ],
    [
      'CFG-DRV-02',
      'the generation is not compared',
      'if (this.#transport.readConfigGeneration() === before) return',
      'if (before >= 0) return',
    ],
    [
      'CFG-DRV-03',
      'a field is read whether its feature is offered or not',
      'return gate === undefined || isOffered(gate)',
      'return gate === undefined || isOffered(gate) || true',
    ],
    [
      'CFG-DRV-04',
      'a configuration that is longer than known is refused',
      'if (transport.configLengthBytes < needed) {',
      'if (transport.configLengthBytes !== needed) {',
    ],
    [
      'CFG-DRV-05',
      'a configuration that is too short is used',
      'if (transport.configLengthBytes < needed) {',
      'if (transport.configLengthBytes < 0) {',
    ],
  ),
  ...mutantsOf(
    'src/virtio/config-space.ts',
    [
      'IMP-CFG-02',
      'an update makes no new generation',
      'this.generation++\n    this.notifyConfigChange?.()',
      'this.notifyConfigChange?.()',
    ],
    [
      'IMP-CFG-03',
      'the driver writes whatever field it likes',
      'return field.driverWritable && offset',
      'return offset',
    ],
  ),
  ...mutantsOf('src/virtio/config-layout.ts', [
    'IMP-CFG-01',
    'a field of 32 bits is big-endian',
    'view.setUint32(offset, value as number, true)',
    'view.setUint32(offset, value as number, false)',
  ]),
  ...mutantsOf(
    'src/virtio/readable-registers.ts',
    [
      'FEAT-DEV-05',
      'a reset takes a feature out of the offer',
      'this.driverFeatures = FeatureSet.empty\n    this.deviceFeaturesSelect = 0',
      'this.driverFeatures = FeatureSet.empty\n    this.#offered = this.#offered.without(32)\n    this.deviceFeaturesSelect = 0',
    ],
    [
      'CFG-DEV-01',
      'configuration reads nothing before features were accepted',
      'this.config.read(offset, target)',
      'if (this.driverFeatures.has(32)) this.config.read(offset, target)',
    ],
  ),
  ...mutantsOf('src/virtio/features.ts', [
    'IMP-FEAT-01',
    'there are two windows of features',
    'return index >= 0 && index < FEATURE_WINDOWS ?',
    'return index >= 0 && index < 2 ?',
  ]),
]

export const START_MUTANTS: readonly Mutant[] = [
  ...START_DRIVER,
  ...DRIVER_FEATURES,
  ...REGISTERS,
  ...OFFERS,
  ...NEGOTIATION,
  ...CONFIG,
]
