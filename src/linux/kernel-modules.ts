/** The modules that a guest needs, in an order in which they can be loaded: each names what it needs itself. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { LinuxGuestError } from './linux-error.ts'

export interface KernelModule {
  readonly name: string
  readonly bytes: Uint8Array
}

/** `wanted` and all that they need below `folder`. Throws `LinuxGuestError` PACKAGES for one that is not there. */
export function modulesInOrder(folder: string, wanted: readonly string[]): KernelModule[] {
  const files = new Map<string, string>()
  for (const path of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (path.endsWith('.ko')) files.set(plain(path.slice(path.lastIndexOf('/') + 1, -3)), join(folder, path))
  }
  const order = new Map<string, KernelModule>()
  const visit = (name: string): void => {
    if (order.has(name)) return
    const path = files.get(name)
    if (path === undefined) throw new LinuxGuestError('PACKAGES', `the kernel package has no module ${name}`)
    const bytes = readFileSync(path)
    for (const needed of dependencies(bytes)) visit(needed)
    order.set(name, { name, bytes })
  }
  for (const name of wanted) visit(plain(name))
  return [...order.values()]
}

/** Of a module's .modinfo section: strings that end with 0, `depends=` with names and commas. */
function dependencies(bytes: Uint8Array): string[] {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
  const listed = /\0depends=([^\0]*)\0/.exec(text)?.[1] ?? ''
  return listed
    .split(',')
    .filter((name) => name !== '')
    .map(plain)
}

/** Dash and underscore are the same. */
function plain(name: string): string {
  return name.replaceAll('-', '_')
}
