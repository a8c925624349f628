/**
 * Text from outside (names in files, messages of other people's programs) on its way to a terminal: what a terminal would obey,
 * and what would show text in another order than it has, is written as `\u009b`. In JSON and in the quoted texts of YAML that
 * means the same character, so files that the command line prints stay true.
 */

/** Controls but line feed and tab, separators of lines, marks of direction, tags, and halves of characters. */
const OBEYED = /[^\P{Cc}\n\t]|[\u2028\u2029\ufeff]|\p{Bidi_Control}|[\u{e0000}-\u{e007f}]|\p{Cs}/gu

/** A line feed or a tab would do no harm to the terminal, only to the line. */
const OF_LINES = /[\n\t]/g

/** The text with everything in it escaped that a terminal obeys, except for line feeds and tabs. */
export function escapeControls(text: string): string {
  return text.replace(OBEYED, escaped)
}

/** The same for what must stay on its line and in its column: line feeds and tabs are escaped too. */
export function oneLine(text: string): string {
  return escapeControls(text).replace(OF_LINES, escaped)
}

/** A character beyond 16 bits as its two halves, as JSON wants it. */
function escaped(character: string): string {
  return Array.from({ length: character.length }, (_, i) => {
    return `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`
  }).join('')
}
