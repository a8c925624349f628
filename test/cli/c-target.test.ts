/** A device in C, in a process of its own, through the whole kit: the example is built and run as its first lines say. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { ProcessChannel } from '../../src/cli/testing/process-channel.ts'
import { GuestMemory } from '../../src/memory/index.ts'
import {
  museumTable,
  queueCommands,
  referenceModel,
  remoteDevice,
  remotePackedDevice,
  runHostilePackedRings,
  runHostileRings,
  runMuseum,
  writeDescriptor,
} from '../../src/testing/index.ts'

const SOURCES = fileURLToPath(new URL('../../examples/c-target/', import.meta.url))
/** Those that take a hundred thousand calls are for patient people. */
const QUICK = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15, 16, 17, 18, 19, 20, 21, 22, 28, 30, 31, 32, 35, 36]
let folder: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'virtio-sdk-'))
  for (const name of ['device', 'packed-device']) {
    const warnings = ['-Wall', '-Wextra', '-Werror']
    execFileSync('cc', ['-O2', ...warnings, '-o', join(folder, name), join(SOURCES, `${name}.c`)])
  }
})
afterAll(() => rmSync(folder, { recursive: true }))

function withProcess<T>(command: string, use: (channel: ProcessChannel) => T): T {
  const channel = new ProcessChannel(command, folder)
  try {
    return use(channel)
  } finally {
    channel.close()
  }
}

it('the device in C passes the museum, watched in every access', () => {
  withProcess('./device', (channel) => {
    const report = runMuseum(remoteDevice('device.c', channel), { exhibits: QUICK })
    expect(museumTable(report)).not.toMatch(/FAIL|WEDGED/)
    expect(report.results.find(({ number }) => number === 4)!.reads).toBeGreaterThan(100)
    const skipped = report.results.filter(({ verdict }) => verdict === 'SKIP')
    expect(skipped.map(({ number, detail }) => `${number} ${detail}`)).toEqual([
      '21 the target has no turns',
      '32 the target lacks: concurrency',
    ])
  })
}, 60_000)

it('hostile rings and programs find nothing', () => {
  withProcess('./device', (channel) => {
    const target = remoteDevice('device.c', channel)
    for (const eventIdx of [false, true]) {
      expect(runHostileRings(target, { seed: 1, rings: 40, eventIdx, indirect: true }).rings).toBe(40)
      const programs = queueCommands({ ring: 'split', eventIdx, maxCommands: 40 })
      fc.assert(
        fc.property(programs, (program) => referenceModel.compare(target, program)),
        { seed: 1, numRuns: 20 },
      )
    }
  })
}, 60_000)

it('the packed device in C passes its museum, hostile rings and programs', () => {
  withProcess('./packed-device', (channel) => {
    const target = remotePackedDevice('packed-device.c', channel)
    const report = runMuseum(target)
    expect(museumTable(report)).not.toMatch(/FAIL|WEDGED/)
    const skipped = report.results.filter(({ verdict }) => verdict === 'SKIP').map(({ detail }) => detail)
    expect(new Set(skipped)).toEqual(new Set(['the target lacks: concurrency']))
    for (const inOrder of [false, true]) {
      const features = { eventIdx: true, indirect: true, inOrder }
      expect(runHostilePackedRings(target, { seed: 1, rings: 60, ...features }).rings).toBe(60)
      const programs = queueCommands({ ring: 'packed', inOrder, maxCommands: 40 })
      fc.assert(
        fc.property(programs, (program) => referenceModel.compare(target, program)),
        { seed: 1, numRuns: 30 },
      )
    }
  })
}, 60_000)

it('a request that was given up does not spoil the next one', () => {
  withProcess('./device', (channel) => {
    let left = 5
    const tired = {
      send: (line: string) => channel.send(line),
      receive() {
        if (left-- === 0) throw new Error('too slow')
        return channel.receive()
      },
    }
    const report = runMuseum(remoteDevice('device.c', tired), { exhibits: [2, 4, 9] })
    expect(report.results.map(({ verdict }) => verdict)).toEqual(['FAIL', 'REJECT', 'PASS'])
  })
})

it('the conversation in docs/testing.md is what is said', () => {
  withProcess('./device', (channel) => {
    const lines: string[] = []
    const overheard = {
      send(line: string) {
        lines.push(`kit     ${line}`)
        channel.send(line)
      },
      receive() {
        const line = channel.receive()
        lines.push(`target  ${line}`)
        return line
      },
    }
    const memory = GuestMemory.ofSize(4096, 65536)
    const ring = {
      size: 2,
      descriptorArea: 65536,
      driverArea: 65568,
      deviceArea: 65580,
      eventIdx: false,
      indirect: false,
    }
    writeDescriptor(memory, ring.descriptorArea, 0, { address: 66000, length: 16, flags: 2, next: 0 })
    memory.writeU16(ring.driverArea + 2, 1)
    const device = remoteDevice('device.c', overheard).create(memory, ring)
    expect(device.take()).toMatchObject({ kind: 'chain', id: 0, writable: [{ address: 66000, length: 16 }] })
    device.complete(0, 5)
    device.publish!()
    device.wantsNotification()
    const docs = readFileSync(new URL('../../docs/testing.md', import.meta.url), 'utf8')
    expect(docs).toContain(`\`\`\`\n${lines.join('\n')}\n\`\`\``)
  })
})

it.each([
  ['c', '../../examples/c-target/kit.h', '/* ---- the channel', null],
  ['c', '../../examples/c-target/device.c', 'int main(void)', null],
  ['rust', '../../examples/rust-target/device.rs', '/// The channel', 'mod queue {'],
  ['rust', '../../examples/rust-target/device.rs', 'fn main()', 'fn answer('],
])('docs/testing.md shows the %s of %s as it is, from "%s"', (language, file, from, to) => {
  const source = readFileSync(new URL(file, import.meta.url), 'utf8')
  const part = source.slice(source.indexOf(from), to === null ? undefined : source.indexOf(to)).trim()
  const docs = readFileSync(new URL('../../docs/testing.md', import.meta.url), 'utf8')
  expect(docs).toContain(`\`\`\`${language}\n${part}\n\`\`\``)
})

const hasRust = spawnSync('rustc', ['--version']).status === 0

it.skipIf(!hasRust)(
  'the device in Rust passes the museum and the fuzzer, where there is a compiler for it',
  () => {
    const source = fileURLToPath(new URL('../../examples/rust-target/device.rs', import.meta.url))
    execFileSync('rustc', ['-O', '--edition', '2021', '-D', 'warnings', '-o', join(folder, 'device-rs'), source])
    withProcess('./device-rs', (channel) => {
      const target = remoteDevice('device.rs', channel)
      expect(museumTable(runMuseum(target, { exhibits: QUICK }))).not.toMatch(/FAIL|WEDGED/)
      for (const eventIdx of [false, true]) {
        expect(runHostileRings(target, { seed: 1, rings: 40, eventIdx, indirect: true }).rings).toBe(40)
        fc.assert(
          fc.property(queueCommands({ ring: 'split', eventIdx, maxCommands: 40 }), (program) =>
            referenceModel.compare(target, program),
          ),
          { seed: 1, numRuns: 20 },
        )
      }
    })
  },
  60_000,
)

it('a target that does not know how to be restored is not shown what needs it', () => {
  withProcess('./device', (channel) => {
    const forgetful = {
      send: (line: string) => channel.send(line.startsWith('restore') ? 'forgotten' : line),
      receive: () => channel.receive(),
    }
    const report = runMuseum(remoteDevice('device.c', forgetful), { exhibits: [30, 31] })
    for (const { verdict, detail } of report.results) {
      expect([verdict, detail]).toEqual(['SKIP', 'the target does not know the request: restore'])
    }
  })
})

it('a process that hangs, dies or talks nonsense is a failure, not a hang of ours', () => {
  writeFileSync(join(folder, 'nonsense.sh'), 'while read line; do echo hello; done')
  for (const [command, message] of [
    ['sh nonsense.sh', 'no line of the protocol'],
    ['sleep 60', 'said nothing'],
    ['true', 'has ended'],
  ] as const) {
    withProcess(command, (channel) => {
      const report = runMuseum(remoteDevice(command, channel), { exhibits: [2] })
      expect(museumTable(report)).toContain(message)
    })
  }
}, 60_000)
