/** `ANALYSIS_CAMPAIGN=100 npx vitest run test/analysis` does a hundred times the random sets and instances, and prints counts. */
export const CAMPAIGN = Math.max(1, Number(process.env.ANALYSIS_CAMPAIGN ?? 1))
export const CAMPAIGN_TIMEOUT_MS = 60_000 * CAMPAIGN

/** The counts of one part of a campaign, for docs/analysis.md §10; silent in an ordinary run. */
export function report(what: string, counts: Readonly<Record<string, number>>): void {
  if (CAMPAIGN > 1) console.log(`${what}: ${JSON.stringify(counts)}`)
}
