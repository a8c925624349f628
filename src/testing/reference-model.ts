/**
 * Any queue against the specification: a program of moves runs over real bytes, and after every move what the target said
 * and what it wrote must be what `reference-split-ring.ts` concludes from those bytes. The side without a target is played by
 * the reference peers. Both sides are witnessed all the same, so that a pair of targets runs as one program.
 */
import { DeviceWitness } from './device-witness.ts'
import { DriverWitness } from './driver-witness.ts'
import type { QueueCommand, QueueProgram } from './queue-program.ts'
import type { DeviceQueueTarget, DriverQueueTarget } from './queue-targets.ts'
import { referenceDevice, referenceDriver } from './reference-peers.ts'
import { RingScene } from './ring-scene.ts'

export type QueueTargets =
  | DeviceQueueTarget
  | DriverQueueTarget
  | { readonly device: DeviceQueueTarget; readonly driver: DriverQueueTarget }

export const referenceModel = {
  /** True, or a `QueueMismatch` that names the move and prints the ring and the program. */
  compare(target: QueueTargets, program: QueueProgram): true {
    const device = 'device' in target ? target.device : target.side === 'device' ? target : referenceDevice
    const driver = 'driver' in target ? target.driver : target.side === 'driver' ? target : referenceDriver
    const startIndex = device.createAt && driver.createAt ? program.startIndex : 0
    const scene = new RingScene(program, startIndex)
    // The driver first: it may zero the ring.
    const drivers = new DriverWitness(scene, driver, startIndex)
    const devices = new DeviceWitness(scene, device, startIndex)
    for (const command of program.commands) {
      execute(command, scene, devices, drivers)
      scene.position++
    }
    drain(scene, devices, drivers)
    return true
  },
}

function execute(command: QueueCommand, scene: RingScene, device: DeviceWitness, driver: DriverWitness): void {
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
function drain(scene: RingScene, device: DeviceWitness, driver: DriverWitness): void {
  driver.publish()
  while (device.take());
  while (device.inFlight > 0) device.use(0, 0)
  device.publish()
  while (driver.reap());
  if (driver.outstanding > 0) scene.fail(`${driver.outstanding} chains never came back`)
  for (let i = 0; i < scene.ring.size; i++) driver.add([1], [], 1)
  if (driver.outstanding !== scene.ring.size) scene.fail('descriptors were lost')
}
