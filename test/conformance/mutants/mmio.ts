/** Virtio over MMIO, both sides: faults of `src/transport/mmio`, and of what it shares with PCI. */
import { type Mutant, mutantsOf } from './mutant.ts'

const WINDOW = mutantsOf(
  'src/transport/mmio/mmio-window.ts',
  ['IMP-SHM-01', 'there is a shared memory region of no bytes at address 0', 'return MAX_U32', 'return 0'],
  ['MMIO-REG-DEV-01', 'MagicValue is in the other byte order', 'return reg.MMIO_MAGIC', 'return 0x76697274'],
  ['MMIO-REG-DEV-02', 'Version is that of the legacy interface', 'return reg.MMIO_VERSION', 'return 1'],
  ['MMIO-REG-DEV-03', 'acknowledging does nothing', 'registers.acknowledgeInterrupts(value)', ''],
  [
    'MMIO-REG-DEV-04',
    'InterruptStatus has a bit without an event',
    'return registers.interruptStatus\n',
    'return registers.interruptStatus | 2\n',
  ],
  ['MMIO-REG-DEV-06', 'ConfigGeneration stands still', 'return registers.configGeneration >>> 0', 'return 0'],
  [
    'MMIO-REG-DEV-08',
    'QueueReset reads 1 after a device reset',
    'return this.#device.queueResets.isUnderWay() ? 1 : 0',
    'return registers.status === 0 || this.#device.queueResets.isUnderWay() ? 1 : 0',
  ],
  [
    'MMIO-REG-DEV-09',
    'QueueReset reads 1 when a queue was made ready',
    'return this.#device.queueResets.isUnderWay() ? 1 : 0',
    'return registers.queueEnabled ? 1 : 0',
  ],
  ['MMIO-REG-DEV-10', '1 in QueueReset does nothing', 'this.#device.queueResets.ask()', ''],
  [
    'MMIO-REG-DRV-02',
    'a write where no register is goes unreported',
    "this.#device.refuse('MMIO-REG-DRV-02', `a write",
    "String('MMIO-REG-DRV-02', `a write",
  ],
  [
    'MMIO-REG-DRV-03',
    'a read where no register is goes unreported',
    "this.#device.refuse('MMIO-REG-DRV-03', `a read",
    "String('MMIO-REG-DRV-03', `a read",
  ],
  [
    'MMIO-REG-DRV-04',
    'a register is accessed in any width',
    'if (width === 4 && offset % 4 === 0) return true',
    'if (width <= 4) return true',
  ],
  [
    'MMIO-REG-DRV-16',
    'any number in QueueReady makes a queue ready',
    'if (value === 1) registers.enableQueue()',
    'if (value >= 1) registers.enableQueue()',
  ],
)

const QUEUE_RESETS = mutantsOf(
  'src/transport/queue-resets.ts',
  [
    'MMIO-REG-DEV-11',
    'QueueReset reads 0 while the device uses the queue',
    'return this.#pending.has(queueSelect)',
    'return false',
  ],
  [
    'MMIO-REG-DEV-12',
    'QueueReset reads 1 for ever',
    'if (!this.#registers.queueEnabled) this.#pending.delete(queueSelect)',
    '',
  ],
)

const TRANSPORT = mutantsOf(
  'src/transport/mmio/mmio-transport.ts',
  [
    'MMIO-REG-DRV-01',
    'a register is written that there is not',
    'this.#store(reg.QUEUE_NOTIFY, queue)',
    'this.#store(0xe0, 0)\n    this.#store(reg.QUEUE_NOTIFY, queue)',
  ],
  [
    'MMIO-REG-DRV-05',
    'configuration is read in words, whatever the width of a field',
    'this.#bus.read(reg.CONFIG + at, width)',
    'this.#bus.read(reg.CONFIG + (at & ~3), 4) >>> (8 * (at & 3))',
  ],
  [
    'MMIO-REG-DRV-06 MMIO-INIT-DRV-01',
    'MagicValue is not looked at',
    'if (magic !== reg.MMIO_MAGIC) {',
    'if (magic < 0) {',
  ],
  [
    'MMIO-REG-DRV-07',
    'another MagicValue is taken for no device, without an error',
    'if (magic !== reg.MMIO_MAGIC) {',
    'if (magic !== reg.MMIO_MAGIC) return null\n    if (magic < 0) {',
  ],
  ['MMIO-REG-DRV-08', 'Version is not looked at', 'if (version !== reg.MMIO_VERSION) {', 'if (version < 0) {'],
  [
    'MMIO-REG-DRV-09',
    'another Version is taken for no device, without an error',
    'if (version !== reg.MMIO_VERSION) {',
    'if (version !== reg.MMIO_VERSION) return null\n    if (version < 0) {',
  ],
  [
    'MMIO-REG-DRV-10 MMIO-INIT-DRV-03',
    'DeviceID 0 is a device',
    'return deviceId === 0 ? null : new',
    'return deviceId < 0 ? null : new',
  ],
  [
    'MMIO-REG-DRV-11',
    'DeviceID 0 is an error',
    'return deviceId === 0 ? null : new',
    "if (deviceId === 0) throw new VirtioError('NO_DEVICE', 'DeviceID is 0')\n    return new",
  ],
  [
    'MMIO-INIT-DRV-02',
    'DeviceID is read before Version',
    'const version = bus.read(reg.VERSION, 4)',
    'bus.read(reg.DEVICE_ID, 4)\n    const version = bus.read(reg.VERSION, 4)',
  ],
  [
    'MMIO-INIT-DRV-04',
    'a register is read behind DeviceID 0',
    'return deviceId === 0 ? null : new',
    'bus.read(reg.STATUS, 4)\n    return deviceId === 0 ? null : new',
  ],
  [
    'MMIO-INIT-DRV-05',
    'the driver looks for shared memory',
    'this.#store(reg.DEVICE_FEATURES_SEL, window)',
    'this.#load(reg.SHM_LEN_LOW)\n    this.#store(reg.DEVICE_FEATURES_SEL, window)',
  ],
  [
    'MMIO-REG-DRV-12',
    'features are read of the window that was selected',
    'this.#store(reg.DEVICE_FEATURES_SEL, window)\n',
    '\n',
  ],
  [
    'MMIO-REG-DRV-13',
    'features are written before their window is selected',
    'this.#store(reg.DRIVER_FEATURES_SEL, window)\n    this.#store(reg.DRIVER_FEATURES, word)',
    'this.#store(reg.DRIVER_FEATURES, word)\n    this.#store(reg.DRIVER_FEATURES_SEL, window)',
  ],
  [
    'MMIO-REG-DRV-14',
    'a queue is sized twice as large',
    'this.#store(reg.QUEUE_SIZE, size)',
    'this.#store(reg.QUEUE_SIZE, 2 * size)',
  ],
  [
    'MMIO-REG-DRV-15',
    'a size is written behind QueueReady',
    'this.#store(reg.QUEUE_READY, 1)\n',
    'this.#store(reg.QUEUE_READY, 1)\n    this.#store(reg.QUEUE_SIZE, 4)\n',
  ],
  [
    'MMIO-REG-DRV-18',
    'undefined bits of InterruptStatus are heard',
    'this.#load(reg.INTERRUPT_STATUS) & KNOWN_INTERRUPTS',
    'this.#load(reg.INTERRUPT_STATUS)',
  ],
  [
    'MMIO-REG-DRV-19',
    'an interrupt is not acknowledged',
    'if (reasons !== 0) this.#store(reg.INTERRUPT_ACK, reasons)',
    '',
  ],
  [
    'MMIO-REG-DRV-20',
    'all bits are acknowledged',
    'this.#store(reg.INTERRUPT_ACK, reasons)',
    'this.#store(reg.INTERRUPT_ACK, 0xffff_ffff)',
  ],
  [
    'MMIO-INT-DRV-01',
    'an interrupt is acknowledged before InterruptStatus is read',
    'const reasons = this.#load(reg.INTERRUPT_STATUS)',
    'this.#store(reg.INTERRUPT_ACK, 1)\n    const reasons = this.#load(reg.INTERRUPT_STATUS)',
  ],
  [
    'MMIO-REG-DRV-21',
    'a queue reset is taken for complete unseen',
    'return this.#load(reg.QUEUE_RESET) === 0 && this.#load(reg.QUEUE_READY) === 0',
    'return true',
  ],
)

/** What lies above the transport, and is a rule of MMIO as well. */
const ABOVE = [
  ...mutantsOf('src/virtio/connect.ts', [
    'MMIO-INIT-DRV-06',
    'DRIVER_OK is written twice',
    'this.#addStatus(DRIVER_OK)',
    'this.#addStatus(DRIVER_OK)\n    this.#addStatus(DRIVER_OK)',
  ]),
  ...mutantsOf('src/virtio/driver.ts', [
    'MMIO-INT-DRV-02',
    'an interrupt is looked into for the first queue',
    'for (const queue of this.queues) {\n      if (this.#error !== null) return\n',
    'for (const queue of this.queues.slice(0, 1)) {\n      if (this.#error !== null) return\n',
  ]),
  ...mutantsOf(
    'src/virtio/device-registers.ts',
    [
      'MMIO-REG-DEV-05',
      'InterruptStatus outlives a device reset',
      'this.#interruptStatus = 0\n    this.#resetCause',
      'this.#resetCause',
    ],
    [
      'MMIO-REG-DEV-07',
      'a queue that is not ready is served',
      'this.#model.onQueueReset(queue.index)\n      queue.disable()',
      'if (this.#resetting) queue.disable()',
    ],
    [
      'MMIO-REG-DRV-22',
      'a queue that was reset is not made ready again',
      'if (queue === undefined || queue.ring === null) return queue\n',
      'if (queue === undefined || (queue.ring === null && !this.isLive)) return queue\n',
    ],
  ),
  ...mutantsOf('src/virtio/queue-registers.ts', [
    'MMIO-REG-DRV-23',
    'a queue that is made ready again has to be as large as before',
    'if (this.size > this.sizeMax) {',
    'if (this.size !== this.sizeMax) {',
  ]),
]

export const MMIO_MUTANTS: readonly Mutant[] = [...WINDOW, ...QUEUE_RESETS, ...TRANSPORT, ...ABOVE]
