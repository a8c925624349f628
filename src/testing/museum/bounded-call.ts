/**
 * Calls that come back. A queue that walks a loop for ever cannot be left by an exception that it might catch, so on Node the
 * call runs under the time limit of `node:vm`, which ends any synchronous code. Elsewhere only reads are counted.
 */

/** The limit was reached: the target was still running. */
export class CallTimeout extends Error {
  override readonly name = 'CallTimeout'
}

/** The process that was the target has ended, and with it the call. A channel may start another at the next `create`. */
export class TargetGone extends Error {
  override readonly name = 'TargetGone'
}

interface VmModule {
  readonly Script: new (source: string) => { runInThisContext(options: { timeout: number }): unknown }
}

const SLOT = Symbol.for('virtio-sdk.bounded-call')

const slots = globalThis as unknown as Record<symbol, unknown>
const host = (globalThis as { process?: { getBuiltinModule?(name: string): unknown } }).process
const vm = host?.getBuiltinModule?.('node:vm') as VmModule | undefined
const script = vm && new vm.Script(`globalThis[Symbol.for('virtio-sdk.bounded-call')]()`)

/** Runs `action`; throws `CallTimeout` when it did not end in time, wherever there is a clock to say so. */
export function callWithin<T>(action: () => T, limitMs: number): T {
  if (script === undefined) return action()
  const outer = slots[SLOT]
  slots[SLOT] = action
  try {
    return script.runInThisContext({ timeout: limitMs }) as T
  } catch (error) {
    if ((error as { code?: unknown } | null)?.code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error
    throw new CallTimeout(`still running after ${limitMs} ms`)
  } finally {
    slots[SLOT] = outer
  }
}
