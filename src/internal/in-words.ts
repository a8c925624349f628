/**
 * Any value in words, for messages about what others answered, exported, threw or wrote in a file: also one that throws when it
 * is to be made a text. One line only if the value's text is. `most`: letters, behind which it is cut.
 */
export function inWords(value: unknown, most = Number.POSITIVE_INFINITY): string {
  const text = wordsOf(value)
  return text.length > most ? `${text.slice(0, most)}…` : text
}

function wordsOf(value: unknown): string {
  if (typeof value === 'function') return 'a function'
  try {
    if (typeof value === 'string') return JSON.stringify(value)
    if (typeof value === 'object' && value !== null && !(value instanceof Error))
      return JSON.stringify(value) ?? 'an object'
    return String(value)
  } catch {
    return 'an object'
  }
}
