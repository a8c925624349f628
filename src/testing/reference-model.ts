/**
 * Any queue against the specification: a program of moves runs over real bytes, and after every move what the target said
 * and what it wrote must be what `reference-split-ring.ts`, or `reference-packed-ring.ts`, concludes from those bytes. The side
 * without a target is played by the reference peers. Both sides are witnessed all the same, so that a pair of targets runs as
 * one program.
 */
import { VirtioError } from '../internal/error.ts'
import { DeviceWitness } from './device-witness.ts'
import { DriverWitness } from './driver-witness.ts'
import { PackedDeviceWitness } from './format/packed/packed-device-witness.ts'
import { PackedDriverWitness } from './format/packed/packed-driver-witness.ts'
import { PackedScene } from './format/packed/packed-scene.ts'
import { referencePackedDevice, referencePackedDriver } from './format/packed/reference-packed-peers.ts'
import { referenceDevice, referenceDriver } from './format/split/reference-peers.ts'
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
  const scene = new RingScene(program, startIndex, device.ownMemory ?? driver.ownMemory)
  // The driver first: it may zero the ring.
  const drivers = new DriverWitness(scene, driver, startIndex)
  return run(program.commands, scene, new DeviceWitness(scene, device, startIndex), drivers)
}

function comparePacked(target: PackedTargets, program: PackedQueueProgram): true {
  const device = 'device' in target ? target.device : target.side === 'device' ? target : referencePackedDevice
  const driver = 'driver' in target ? target.driver : target.side === 'driver' ? target : referencePackedDriver
  const where = (position: number) => commandAt(program.commands, position)
  const scene = new PackedScene({ ring: program, where, evidence: () => printProgram(program) })
  const drivers = new PackedDriverWitness(scene, driver)
  return run(program.commands, scene, new PackedDeviceWitness(scene, device), drivers)
}

/** The executable specification: `compare` runs a program over a target and the model, and throws where they differ. */
export const referenceModel = { compare }

type Scene = RingScene | PackedScene
type Device = DeviceWitness | PackedDeviceWitness
type Driver = DriverWitness | PackedDriverWitness

function run(commands: readonly QueueCommand[], scene: Scene, device: Device, driver: Driver): true {
  for (const command of commands) {
    execute(command, scene, device, driver)
    scene.position++
  }
  drain(scene, device, driver)
  return true
}

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
      for (let i = 0; i < command.count && device.take(); i++);
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

/** Conservation: whatever happened, everything comes back, and then the whole ring is free again. */
function drain(scene: Scene, device: Device, driver: Driver): void {
  driver.publish()
  while (device.take());
  while (device.inFlight > 0) device.use(0, 0)
  device.publish()
  while (driver.reap());
  if (driver.outstanding > 0) scene.fail(`${driver.outstanding} chains never came back`)
  for (let i = 0; i < scene.ring.size; i++) driver.add([1], [], 1)
  if (driver.outstanding !== scene.ring.size) scene.fail('descriptors were lost')
}
