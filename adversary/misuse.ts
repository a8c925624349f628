/** Options of the commands that attack bounds or compare them. Misuse ends the process with exit code 2. */

/** A whole number from `least`. */
export function whole(option: string, text: string, least: number): number {
  const value = Number(text)
  if (text.trim() !== '' && Number.isSafeInteger(value) && value >= least) return value
  return refuse(`${option} is a whole number from ${least}, not "${text}"`)
}

export function refuse(message: string): never {
  process.stderr.write(`${message}\n`)
  process.exit(2)
}
