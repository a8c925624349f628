/**
 * What was found of an object once, kept on the object itself, where neither a spread nor a comparison sees it. Not in a `WeakMap`: what one
 * refers to outlives V8's young collections, however short-lived its key is, and a prediction would leave all that it has made to the old.
 */
export class FoundOn<K extends object, V> {
  readonly #name = Symbol('found')

  get(of: K): V | undefined {
    return (of as { readonly [name: symbol]: V | undefined })[this.#name]
  }

  has(of: K): boolean {
    return this.get(of) !== undefined
  }

  /** `of` can be extended. */
  set(of: K, found: V): void {
    Object.defineProperty(of, this.#name, { value: found, writable: true })
  }
}
