/** "Did you mean": the candidate that is nearest to what was written, if any is near at all. */

export function nearest(word: string, candidates: readonly string[]): string | null {
  let best: string | null = null
  // A third of the letters may be wrong: more, and the suggestion would be a guess.
  let bestDistance = Math.floor(word.length / 3) + 1
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase())
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

/** The sentence of a fix: one suggestion, or everything there is. */
export function oneOf(word: unknown, candidates: readonly string[]): string {
  const suggestion = typeof word === 'string' ? nearest(word, candidates) : null
  if (suggestion !== null) return `did you mean ${suggestion}?`
  return candidates.length === 0 ? 'there is none' : `use one of ${candidates.join(', ')}`
}

/** Insertions, deletions, substitutions and swaps of neighbours (optimal string alignment), on at most 64 characters. */
function editDistance(a: string, b: string): number {
  if (a.length > 64 || b.length > 64) return Number.POSITIVE_INFINITY
  let before: number[] = []
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const current = [i]
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1
      let distance = Math.min(previous[j]! + 1, current[j - 1]! + 1, previous[j - 1]! + cost)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        distance = Math.min(distance, before[j - 2]! + 1)
      current.push(distance)
    }
    before = previous
    previous = current
  }
  return previous[b.length]!
}
