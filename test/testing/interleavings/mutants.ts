/**
 * Our queues with one ordering taken away: every ordered access of `src/virtqueue` and `src/memory/ordered.ts`, found in the
 * sources by the compiler, made unordered; and every publication and every second look moved to where it is too early or too
 * late, by hand, as text. Each mutant is a bundle of its own, built from the sources as they are now.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, relative } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import ts from 'typescript'
import { QUEUE_SOURCES, queueSourcePath } from '../queue-sources.ts'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))

export interface Mutant {
  /** `ring-signals.ts publish: store unordered`. */
  readonly name: string
  readonly file: string
  readonly mutate: (source: string) => string
}

/** What a mutated module exports: our adapters, over the mutated queues. */
export type OwnQueueTargets = typeof import('../own-queue-targets.ts')

/** The split ring, and what is of no format. */
const NOT_PACKED = QUEUE_SOURCES.filter((path) => !path.includes('/packed/'))

/** Every call of `loadOrdered` and `storeOrdered` in these files, with the method that it is in. */
export function orderedAccesses(files: readonly string[] = NOT_PACKED): Mutant[] {
  const mutants: Mutant[] = []
  for (const file of files) {
    const name = basename(file)
    const source = readFileSync(join(ROOT, file), 'utf8')
    const tree = ts.createSourceFile(file, source, ts.ScriptTarget.Latest, true)
    const seen = new Map<string, number>()
    const visit = (node: ts.Node, method: string): void => {
      const inside = ts.isMethodDeclaration(node) ? node.name.getText() : method
      if (ts.isCallExpression(node) && /^(load|store)Ordered$/.test(node.expression.getText())) {
        const kind = node.expression.getText().replace('Ordered', '')
        const count = (seen.get(inside + kind) ?? 0) + 1
        seen.set(inside + kind, count)
        const place = `${name} ${inside}: ${kind}${count > 1 ? ` ${count}` : ''}`
        const [start, end] = [node.getStart(), node.getEnd()]
        const [words, index, value] = node.arguments.map((argument) => argument.getText())
        const replaceWith = (text: string) => (before: string) => before.slice(0, start) + text + before.slice(end)
        const plain = kind === 'load' ? `${words}[${index}]` : `void (${words}[${index}] = ${value})`
        mutants.push({ name: `${place} unordered`, file, mutate: replaceWith(plain) })
        const order = kind === 'load' ? 'acquire' : 'release'
        const weaker = `globalThis.interleavingsSide.atomicsAs('${order}', () => ${node.getText()})`
        mutants.push({ name: `${place} ${order} only`, file, mutate: replaceWith(weaker) })
      }
      ts.forEachChild(node, (child) => visit(child, inside))
    }
    visit(tree, '')
  }
  return mutants
}

function textMutant(name: string, file: string, ...edits: readonly (readonly [string, string])[]): Mutant {
  const mutate = (source: string): string =>
    edits.reduce((text, [from, to]) => {
      const parts = text.split(from)
      if (parts.length !== 2) throw new Error(`${name}: ${file} has ${parts.length - 1} times ${JSON.stringify(from)}`)
      return parts.join(to)
    }, source)
  return { name, file, mutate }
}

const SIGNALS = queueSourcePath('ring-signals.ts')
const DEVICE = queueSourcePath('split-device-queue.ts')
const DRIVER = queueSourcePath('split-driver-queue.ts')

/** Everything that must come in an order, in the other one. */
export const REORDERED: readonly Mutant[] = [
  textMutant('ordered.ts loadOrdered: unordered', 'src/memory/ordered.ts', [
    'return shared ? Atomics.load(words, index) : words[index]!',
    'return words[index]!',
  ]),
  textMutant('ordered.ts storeOrdered: unordered', 'src/memory/ordered.ts', [
    'if (shared) Atomics.store(words, index, value)',
    'if (shared) words[index] = value',
  ]),
  textMutant(
    'ring-signals.ts: the look at the suppression state before the store of idx',
    SIGNALS,
    [
      '    this.#published = index\n',
      '    this.early = loadOrdered(this.#peer, this.#eventIdx ? this.#peerEvent : FLAGS, this.#peerOrdered)\n    this.#published = index\n',
    ],
    ['(loadOrdered(this.#peer, FLAGS, this.#peerOrdered) & QUIET)', '(this.early & QUIET)'],
    ['loadOrdered(this.#peer, this.#peerEvent, this.#peerOrdered)', 'this.early'],
  ),
  textMutant('ring-signals.ts enable: the event unordered', SIGNALS, [
    'if (this.#eventIdx) this.#storeEvent(next)',
    'if (this.#eventIdx) this.#own[this.#ownEvent] = this.event = next',
  ]),
  textMutant('ring-signals.ts rearm: the event unordered', SIGNALS, [
    '    this.#storeEvent(next)\n    return true\n',
    '    this.#own[this.#ownEvent] = this.event = next\n    return true\n',
  ]),
  textMutant('split-device-queue.ts: used.idx before the used element', DEVICE, [
    '    this.#usedElements[word] = id\n',
    '    this.#signals.publish((this.#usedNext + 1) & 0xffff, 0)\n    this.#usedElements[word] = id\n',
  ]),
  textMutant('split-device-queue.ts: used.idx between id and len', DEVICE, [
    '    this.#usedElements[word + 1] = writtenBytes\n',
    '    this.#signals.publish((this.#usedNext + 1) & 0xffff, 0)\n    this.#usedElements[word + 1] = writtenBytes\n',
  ]),
  textMutant('split-device-queue.ts: the head is read before avail.idx', DEVICE, [
    '      if (this.#next === this.#seen && !this.#refresh()) return false\n      const head = this.#available[2 + (this.#next & this.#mask)]!\n',
    '      const head = this.#available[2 + (this.#next & this.#mask)]!\n      if (this.#next === this.#seen && !this.#refresh()) return false\n',
  ]),
  textMutant('split-device-queue.ts: enableNotifications looks before it asks', DEVICE, [
    '    this.#signals.enable(this.#next)\n    if (this.onWrite !== null) this.#tellSignals()\n    return this.availableCount() > 0\n',
    '    const waiting = this.availableCount() > 0\n    this.#signals.enable(this.#next)\n    return waiting\n',
  ]),
  textMutant('split-device-queue.ts: enableNotifications does not look', DEVICE, [
    '    this.#signals.enable(this.#next)\n    if (this.onWrite !== null) this.#tellSignals()\n    return this.availableCount() > 0\n',
    '    this.#signals.enable(this.#next)\n    return false\n',
  ]),
  textMutant('split-device-queue.ts: an empty look re-arms, and does not look again', DEVICE, [
    '!this.#signals.rearm(this.#next)) return false\n    if (this.onWrite !== null) this.#tellSignals()\n    return this.availableCount() > 0',
    '!this.#signals.rearm(this.#next)) return false\n    return false',
  ]),
  textMutant('split-device-queue.ts: an empty look does not re-arm', DEVICE, [
    'this.violation !== null || !this.#signals.rearm(this.#next)',
    'this.violation === null || this.violation !== null',
  ]),
  textMutant('split-driver-queue.ts: avail.idx before the descriptors', DRIVER, [
    '    const head = this.#firstFree\n    let slot',
    '    const head = this.#firstFree\n    this.#signals.publish((this.#availableNext + 1) & 0xffff, 0)\n    let slot',
  ]),
  textMutant('split-driver-queue.ts: avail.idx before the ring entry', DRIVER, [
    '    this.#available[2 + (this.#availableNext & this.#mask)] = head\n',
    '    this.#signals.publish((this.#availableNext + 1) & 0xffff, 0)\n    this.#available[2 + (this.#availableNext & this.#mask)] = head\n',
  ]),
  textMutant('split-driver-queue.ts: the used element is read before used.idx', DRIVER, [
    `    if (this.#usedNext === this.#usedSeen && !this.#refresh()) return false
    const word = 1 + ((this.#usedNext & this.#mask) << 1)
    const id = this.#usedElements[word]!
    let writtenBytes = this.#usedElements[word + 1]!
`,
    `    const word = 1 + ((this.#usedNext & this.#mask) << 1)
    const id = this.#usedElements[word]!
    let writtenBytes = this.#usedElements[word + 1]!
    if (this.#usedNext === this.#usedSeen && !this.#refresh()) return false
`,
  ]),
  textMutant('split-driver-queue.ts: enableNotifications looks before it asks', DRIVER, [
    '    this.#signals.enable(this.#usedNext)\n    return this.#usedCount() > 0\n',
    '    const waiting = this.#usedCount() > 0\n    this.#signals.enable(this.#usedNext)\n    return waiting\n',
  ]),
  textMutant('split-driver-queue.ts: enableNotifications does not look', DRIVER, [
    '    this.#signals.enable(this.#usedNext)\n    return this.#usedCount() > 0\n',
    '    this.#signals.enable(this.#usedNext)\n    return false\n',
  ]),
  textMutant('split-driver-queue.ts: delayNotifications looks before it asks', DRIVER, [
    '    this.#signals.delay(this.#usedNext, count)\n    return this.#usedCount() >= count\n',
    '    const enough = this.#usedCount() >= count\n    this.#signals.delay(this.#usedNext, count)\n    return enough\n',
  ]),
  textMutant('split-driver-queue.ts: an empty look re-arms, and does not look again', DRIVER, [
    'this.#signals.rearm(this.#usedNext) && this.#usedCount() > 0',
    'this.#signals.rearm(this.#usedNext) && false',
  ]),
  textMutant('split-driver-queue.ts: an empty look does not re-arm', DRIVER, [
    'this.#signals.rearm(this.#usedNext) && this.#usedCount() > 0',
    'false',
  ]),
]

/** The adapters of `own-queue-targets.ts` over queues with this mutation. */
export async function loadMutant({ name, file, mutate }: Mutant): Promise<OwnQueueTargets> {
  let applied = false
  const { outputFiles } = await build({
    entryPoints: [join(ROOT, 'test/testing/own-queue-targets.ts')],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'neutral',
    logLevel: 'silent',
    plugins: [
      {
        name: 'mutate',
        setup({ onLoad }) {
          onLoad({ filter: /[/\\]src[/\\](virtqueue|memory)[/\\]/ }, ({ path }) => {
            const source = readFileSync(path, 'utf8')
            if (relative(ROOT, path).replaceAll('\\', '/') !== file) return { contents: source, loader: 'ts' }
            applied = true
            const contents = mutate(source)
            if (contents === source) throw new Error(`${name} changes nothing`)
            return { contents, loader: 'ts' }
          })
        },
      },
    ],
  })
  if (!applied) throw new Error(`${name}: ${file} is not part of the queues`)
  const folder = mkdtempSync(join(tmpdir(), 'virtio-sdk-mutant-'))
  try {
    const path = join(folder, 'mutant.mjs')
    writeFileSync(path, outputFiles[0]!.text)
    return (await import(/* @vite-ignore */ pathToFileURL(path).href)) as OwnQueueTargets
  } finally {
    rmSync(folder, { recursive: true })
  }
}
