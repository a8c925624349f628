/** Texts that are broken into lines, by their width on this machine. */

/** Width of a text in pixels as this page shows it: fonts differ from machine to machine, so widths are measured, not estimated. */
export type Measure = (text: string, px: number, weight: number) => number

export interface Labels {
  readonly of: (text: string) => string
  /** Of the label with the most. */
  readonly lines: number
}

/** Labels broken into lines of at most `px`: between words or after a hyphen where that is possible. */
export function labels(texts: readonly string[], px: number, measured: (text: string) => number): Labels {
  const broken = new Map(texts.map((text) => [text, linesOf(text, px, measured)]))
  return {
    of: (text) => broken.get(text)?.join('\n') ?? text,
    lines: Math.max(1, ...[...broken.values()].map((lines) => lines.length)),
  }
}

function linesOf(text: string, px: number, measured: (text: string) => number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of words(text)) {
    if (measured((line + word).trimEnd()) <= px) {
      line += word
      continue
    }
    if (line !== '') lines.push(line.trimEnd())
    line = word
    while (measured(line) > px && line.length > 1) {
      let fits = line.length - 1
      while (fits > 1 && measured(line.slice(0, fits)) > px) fits--
      lines.push(line.slice(0, fits))
      line = line.slice(fits)
    }
  }
  return [...lines, line.trimEnd()]
}

/** Parts of a text between which a line may be broken. */
export const words = (text: string) => text.split(/(?<=[ -])/)
