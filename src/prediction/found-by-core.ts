import { FoundOn } from './found-on.ts'

/** What is found once for each core, as long as what it was found from is there. */
export class FoundByCore<T> {
  readonly #found = new FoundOn<object, Map<number, T>>()

  /** `from`: what it depends on beside the core, as an object that stands for it. */
  of(from: object, core: number, find: () => T): T {
    let byCore = this.#found.get(from)
    if (byCore === undefined) {
      byCore = new Map()
      this.#found.set(from, byCore)
    }
    let found = byCore.get(core)
    if (found === undefined) {
      found = find()
      byCore.set(core, found)
    }
    return found
  }
}
