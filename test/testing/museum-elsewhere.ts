/** Exhibits, or halves of them, that no queue alone can be shown: who is responsible, and the tests of this repository. */

export interface ExhibitElsewhere {
  readonly number: number
  readonly fault: string
  /** What it concerns instead. */
  readonly concerns: string
  readonly tests: readonly { readonly file: string; readonly name: string }[]
}

const REGISTERS = 'test/virtio/device-registers.test.ts'
const REGULATION = 'test/platform-zcu102/regulation.test.ts'

export const ELSEWHERE: readonly ExhibitElsewhere[] = [
  {
    number: 21,
    fault: 'the driver refills while the device drains: a device of several queues',
    concerns: 'device',
    tests: [
      {
        file: 'test/virtio/define-device.test.ts',
        name: 'museum 21: a run is bounded however fast the driver refills, and poll goes on',
      },
    ],
  },
  {
    number: 23,
    fault: 'queue size or addresses are rewritten after enable or DRIVER_OK',
    concerns: 'registers',
    tests: [
      {
        file: REGISTERS,
        name: 'museum 23: size and addresses written after enable are ignored, the ring stays where it was',
      },
    ],
  },
  {
    number: 24,
    fault: 'queue select, notify or vector out of range, size over the maximum',
    concerns: 'registers',
    tests: [
      { file: REGISTERS, name: 'museum 24: selectors and kicks out of range are harmless' },
      {
        file: REGISTERS,
        name: 'museum 24: what describes no ring is refused when it is enabled, and the device needs a reset',
      },
    ],
  },
  {
    number: 25,
    fault: 'status bits cleared or skipped; FEATURES_OK with bits that were not offered; VERSION_1 refused',
    concerns: 'registers',
    tests: [
      {
        file: 'test/virtio/status.test.ts',
        name: 'STATUS-DRV-03: museum 25: an illegal write changes nothing and names its clause',
      },
      {
        file: 'test/virtio/features.test.ts',
        name: 'FEAT-DEV-02, FEAT-DEV-03, RFB-DEV-02: every subset is accepted exactly when it is closed, offered and has VERSION_1',
      },
    ],
  },
  {
    number: 26,
    fault: 'an interrupt raised after the status was read is acknowledged with it',
    concerns: 'registers',
    tests: [
      { file: REGISTERS, name: 'museum 26: acknowledging clears what was seen, not what came later' },
      {
        file: 'test/transport/shared-memory.test.ts',
        name: 'museum 26: what is raised after the interrupt was taken interrupts again',
      },
    ],
  },
  {
    number: 27,
    fault: 'the configuration changes between the two halves of a 64-bit read',
    concerns: 'registers',
    tests: [
      {
        file: 'test/virtio/config.test.ts',
        name: 'CFG-DRV-01, CFG-DRV-02, museum 27: no torn value is ever seen, wherever the change falls',
      },
    ],
  },
  {
    number: 30,
    fault: 'a device that was never activated is restored',
    concerns: 'device state',
    tests: [
      { file: REGISTERS, name: 'museum 30: an inactive device comes back inactive' },
      { file: REGISTERS, name: 'museum 30: nonsense is a clean error and leaves the device as after a reset' },
    ],
  },
  {
    number: 41,
    fault: 'packed rings are offered, and served as split ones',
    concerns: 'negotiation',
    tests: [
      {
        file: 'test/virtio/features.test.ts',
        name: 'FEAT-DEV-04: nothing is offered that no queue here can do (museum 41)',
      },
    ],
  },
  {
    number: 45,
    fault: "the device's largest queue is smaller than the driver wants",
    concerns: 'registers',
    tests: [
      {
        file: 'test/virtio/connect.test.ts',
        name: 'museum 45: the device offers a smaller queue than wanted, and the driver takes it',
      },
    ],
  },
  {
    number: 46,
    fault: 'the driver reads its features back from a write-only register and loses VERSION_1',
    concerns: 'registers',
    tests: [
      {
        file: 'test/virtio/features.test.ts',
        name: 'museum 46: a driver that reads its own features back and modifies them loses VERSION_1, and is refused',
      },
    ],
  },
  {
    number: 47,
    fault: 'a request is larger than the bucket; tokens come back on a retry; the limiter is gone round',
    concerns: 'regulator',
    tests: [
      { file: 'test/broker/regulator.test.ts', name: 'museum 47: asking again refunds nothing and costs nothing: %s' },
      {
        file: 'test/broker/regulator.test.ts',
        name: 'museum 47: a request larger than the budget, or as large as the bucket, starts after a finite wait, every time',
      },
      {
        file: 'test/broker/regulator.test.ts',
        name: 'museum 47: no order of questions lets more start than the bucket gives',
      },
      { file: REGULATION, name: 'bucket: in any interval not more starts than burst and rate allow' },
    ],
  },
]
