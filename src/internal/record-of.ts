/**
 * `Object.fromEntries` for many names. V8 gives an object that grows name by name a new shape with each, and copies what it knows of
 * the old one; an object without a prototype is a hash table from the start, and stays one.
 */
export function recordOf<T>(entries: Iterable<readonly [string, T]>): Record<string, T> {
  const record: Record<string, T> = Object.create(null)
  for (const [name, value] of entries) record[name] = value
  return Object.setPrototypeOf(record, Object.prototype)
}
