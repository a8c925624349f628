/**
 * Any queue against the specification: a program of moves runs over real bytes, and after every move what the target said
 * and what it wrote must be what `reference-split-ring.ts`, or `reference-packed-ring.ts`, concludes from those bytes. The side
 * without a target is played by the reference peers. Both sides are witnessed all the same, so that a pair of targets runs as
 * one program.
 */
import { VirtioError } from '../internal/error.ts'
import type { GuestMemory } from '../memory/index.ts'
import { DeviceWitness, type TakeOutcome, type WitnessedDevice } from './device-witness.ts'
import { DriverWitness, type WitnessedDriver } from './driver-witness.ts'
import { packedFormat } from './format/packed/packed-format.ts'
import { referencePackedDevice, referencePackedDriver } from './format/packed/reference-packed-peers.ts'
import type { RingFormat, RingShape } from './format/ring-format.ts'
import { referenceDevice, referenceDriver } from './format/split/reference-peers.ts'
import { splitFormat } from './format/split/split-format.ts'
import { negotiate } from './negotiate.ts'
import {
  commandAt,
  type PackedQueueProgram,
  printProgram,
  type QueueCommand,
  type QueueProgram,
} from './queue-program.ts'
import type { DeviceQueueTarget, DriverQueueTarget, PackedDeviceTarget, PackedDriverTarget } from './queue-targets.ts'
import { RingScene } from './ring-scene.ts'

/** One side of a split ring, whose peer is the reference, or both. */
export type QueueTargets =
  | DeviceQueueTarget
  | DriverQueueTarget
  | { readonly device: DeviceQueueTarget; readonly driver: DriverQueueTarget }

/** The same for a packed ring. */
export type PackedTargets =
  | PackedDeviceTarget
  | PackedDriverTarget
  | { readonly device: PackedDeviceTarget; readonly driver: PackedDriverTarget }

/**
 * True, or a `QueueMismatch` that names the move and prints the ring and the program. The ring has no feature that a target
 * lacks. Throws `VirtioError` INVALID_PROGRAM when target and program are of different ring formats, or a ring has no such size.
 */
function compare(target: QueueTargets, program: QueueProgram): true
function compare(target: PackedTargets, program: PackedQueueProgram): true
function compare(target: QueueTargets | PackedTargets, program: QueueProgram | PackedQueueProgram): true {
  const { format = 'split', size } = program
  const targets = 'device' in target ? [target.device, target.driver] : [target]
  for (const one of targets) {
    if ((one.format ?? 'split') === format) continue
    throw new VirtioError('INVALID_PROGRAM', `the program is of a ${format} ring, and ${one.name} has another`)
  }
  if (!isRingSize(format, size)) {
    const sizes = format === 'split' ? 'a power of two, 1 to 32768' : 'a whole number, 1 to 32768'
    throw new VirtioError(
      'INVALID_PROGRAM',
      `the program is of a ${format} ring of ${size} entries; it must be ${sizes}`,
    )
  }
  if (program.format === 'packed') return comparePacked(target as PackedTargets, negotiate(program, ...targets))
  return compareSplit(target as QueueTargets, negotiate(program, ...targets))
}

function isRingSize(format: 'split' | 'packed', size: number): boolean {
  return Number.isInteger(size) && size >= 1 && size <= 32768 && (format === 'packed' || (size & (size - 1)) === 0)
}

function compareSplit(target: QueueTargets, program: QueueProgram): true {
  const device = 'device' in target ? target.device : target.side === 'device' ? target : referenceDevice
  const driver = 'driver' in target ? target.driver : target.side === 'driver' ? target : referenceDriver
  const startIndex = device.createAt && driver.createAt ? program.startIndex : 0
  const own = device.ownMemory ?? driver.ownMemory
  return run(splitFormat, program, { startIndex, own }, device, driver)
}

function comparePacked(target: PackedTargets, program: PackedQueueProgram): true {
  const device = 'device' in target ? target.device : target.side === 'device' ? target : referencePackedDevice
  const driver = 'driver' in target ? target.driver : target.side === 'driver' ? target : referencePackedDriver
  return run(packedFormat, program, {}, device, driver)
}

/** The executable specification: `compare` runs a program over a target and the model, and throws where they differ. */
export const referenceModel = { compare }

function run<Ring extends RingShape, Place>(
  format: RingFormat<Ring, Place>,
  program: QueueProgram | PackedQueueProgram,
  at: { readonly startIndex?: number; readonly own?: GuestMemory | undefined },
  device: WitnessedDevice<Ring>,
  driver: WitnessedDriver<Ring>,
): true {
  const { commands } = program
  const scene = new RingScene(format, {
    ring: program,
    where: (position) => commandAt(commands, position),
    evidence: (draw) => `${draw()}\n${printProgram(program)}`,
    ...at,
  })
  // The driver first: it may zero the ring.
  const drivers = new DriverWitness(scene, driver)
  const devices = new DeviceWitness(scene, device)
  for (const command of commands) {
    execute(command, scene, devices, drivers)
    scene.position++
  }
  drain(scene, devices, drivers)
  return true
}

type Scene = Pick<RingScene<RingShape, unknown>, 'clearRings' | 'fail'> & { readonly ring: RingShape }
type Device = Omit<DeviceWitness<RingShape, unknown>, never>
type Driver = Omit<DriverWitness<RingShape, unknown>, never>

function execute(command: QueueCommand, scene: Scene, device: Device, driver: Driver): void {
  switch (command.op) {
    case 'add':
      driver.add(command.readable, command.writable, command.direct)
      break
    case 'publish':
      driver.publish()
      break
    case 'needsKick':
      driver.needsKick()
      break
    case 'reap':
      for (let i = 0; i < command.count && driver.reap(); i++);
      break
    case 'wantInterrupts':
      driver.wantInterrupts(command.on)
      break
    case 'take':
      for (let i = 0; i < command.count && wentOn(device.take()); i++);
      break
    case 'use':
      device.use(command.which, command.writtenBytes)
      break
    case 'publishUsed':
      device.publish()
      break
    case 'needsInterrupt':
      device.needsInterrupt()
      break
    case 'wantKicks':
      device.wantKicks(command.on)
      break
    case 'reload':
      if (command.side === 'device') device.reload()
      else driver.reload()
      break
    case 'reset':
      device.reset()
      scene.clearRings()
      driver.reset()
  }
}

const wentOn = (outcome: TakeOutcome): boolean => outcome === 'took' || outcome === 'returned'

/** Conservation: whatever happened, everything comes back, and then the whole ring is free again. */
function drain(scene: Scene, device: Device, driver: Driver): void {
  driver.publish()
  while (wentOn(device.take()));
  while (device.inFlight > 0) device.use(0, 0)
  device.publish()
  while (driver.reap());
  if (driver.outstanding > 0) scene.fail(`${driver.outstanding} chains never came back`)
  for (let i = 0; i < scene.ring.size; i++) driver.add([1], [], 1)
  if (driver.outstanding !== scene.ring.size) scene.fail('descriptors were lost')
}
