/**
 * Our queues, as shipped, through every interleaving of the documented small configurations: under sc, tso and weak as they
 * are, and on non-coherent memory with the maintenance that `cached-queue-targets.ts` does around them.
 * `npm run interleavings` explores the large ones too, and prints the figures.
 */
import { describe, expect, it } from 'vitest'
import {
  type ExchangeSides,
  exploreInterleavings,
  MEMORY_MODELS,
  type MemoryModelName,
  ringExchange,
} from '../../../src/testing/index.ts'
import { ownDevice, ownDriver } from '../own-queue-targets.ts'
import { cachedDevice, cachedDriver } from './cached-queue-targets.ts'
import { EXCHANGES, type NamedExchange } from './exchanges.ts'

const ALL = process.env.INTERLEAVINGS === 'all'
const LIMIT = ALL ? 6_000_000 : 1_000_000

const SIDES: Record<string, ExchangeSides> = {
  both: { driver: ownDriver, device: ownDevice() },
  'our driver': { driver: ownDriver },
  'our device': { device: ownDevice() },
}
const CACHED: Record<string, ExchangeSides> = { both: { driver: cachedDriver(), device: cachedDevice() } }

for (const model of MEMORY_MODELS) {
  describe(model, () => {
    for (const [name, sides] of Object.entries(model === 'non-coherent' ? CACHED : SIDES)) {
      for (const exchange of EXCHANGES) {
        if (!canRun(model, name, exchange) || (!ALL && !isQuick(model, name, exchange))) continue
        it(`${name}: ${exchange.name}`, () => {
          const began = performance.now()
          const report = exploreInterleavings(ringExchange(sides, exchange), { model, limit: LIMIT })
          if (process.env.INTERLEAVINGS)
            console.log(`${name}: ${exchange.name}; ${report} ${Math.round(performance.now() - began)} ms`)
          expect(report.verdict, String(report)).toBe('pass')
        })
      }
    }
  })
}

function canRun(model: MemoryModelName, sides: string, exchange: NamedExchange): boolean {
  if (exchange.ownSleep && (model === 'non-coherent' || sides !== 'both')) return false
  if (exchange.large && (model === 'non-coherent' || sides !== 'both')) return false
  return model !== 'non-coherent' || exchange.startIndex === undefined
}

function isQuick(model: MemoryModelName, sides: string, exchange: NamedExchange): boolean {
  return !exchange.large && (!exchange.medium || (model === 'weak' && sides === 'both'))
}
