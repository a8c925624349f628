/**
 * Everything that an object holds, private fields included, as plain data: what two objects have to have in common to be in the same state.
 * V8's inspector shows private fields; nothing else does.
 */
import { Session } from 'node:inspector'

const session = new Session()
session.connect()

/** The two meeting places between the inspector's remote objects and ours. */
const shared = globalThis as { inspected?: unknown }

function post<T>(method: string, parameters: object): T {
  let answer: T | null = null
  session.post(method, parameters, (error, result) => {
    if (error) throw error
    answer = result as T
  })
  if (answer === null) throw new Error(`${method} did not answer at once`)
  return answer
}

interface Remote {
  readonly objectId?: string
  readonly value?: unknown
}

function fetched({ objectId, value }: Remote): unknown {
  if (objectId === undefined) return value
  post('Runtime.callFunctionOn', { objectId, functionDeclaration: 'function () { globalThis.inspected = this }' })
  return shared.inspected
}

function privateFields(object: object): [string, unknown][] {
  shared.inspected = object
  const { result } = post<{ result: Remote }>('Runtime.evaluate', { expression: 'globalThis.inspected' })
  const found = post<{ privateProperties?: { name: string; value?: Remote }[] }>('Runtime.getProperties', {
    objectId: result.objectId,
    ownProperties: true,
  })
  const fields = (found.privateProperties ?? []).filter((each) => each.value !== undefined)
  return fields.map(({ name, value }) => [name, fetched(value!)])
}

/** One line a field: `.registers.#status = 0`. `skip` leaves out what lies below a path. */
export function allFields(root: object, skip: (path: string) => boolean): string[] {
  const lines: string[] = []
  const seen = new Map<object, string>()
  const visit = (value: unknown, path: string): void => {
    if (skip(path)) return
    if (typeof value === 'function') return
    if (typeof value !== 'object' || value === null) {
      lines.push(`${path} = ${String(value)}`)
      return
    }
    const before = seen.get(value)
    if (before !== undefined) {
      lines.push(`${path} is ${before}`)
      return
    }
    seen.set(value, path)
    if (ArrayBuffer.isView(value)) {
      const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
      lines.push(`${path} = ${value.byteLength} bytes ${bytes.length > 65536 ? '' : bytes.join()}`)
      return
    }
    if (value instanceof ArrayBuffer || value instanceof WeakRef) return
    lines.push(`${path}: ${value.constructor?.name}`)
    if (value instanceof Map || value instanceof Set) {
      for (const [i, entry] of [...value].entries()) visit(entry, `${path}(${i})`)
    }
    for (const [name, field] of Object.entries(value)) visit(field, `${path}.${name}`)
    if (!Array.isArray(value)) for (const [name, field] of privateFields(value)) visit(field, `${path}.${name}`)
  }
  visit(root, '')
  return lines
}
