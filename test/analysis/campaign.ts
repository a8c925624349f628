/** `ANALYSIS_CAMPAIGN=100 npx vitest run test/analysis` does a hundred times the random sets and instances. */
export const CAMPAIGN = Math.max(1, Number(process.env.ANALYSIS_CAMPAIGN ?? 1))
export const CAMPAIGN_TIMEOUT_MS = 60_000 * CAMPAIGN
