/** What the results rest on: the board, and where each of its figures comes from. */

import { escaped } from '../../page/index.ts'
import type { BoardProfile, Fact } from '../../platform-zcu102/index.ts'

export function platformHtml(profile: BoardProfile): string {
  const facts: [name: string, Fact<unknown>][] = [
    ['cores', profile.cores],
    ['DMA copy rate, bytes/ns', profile.dmaBytesPerNs],
    ['pieces the DMA has fetched beyond the one it moves', profile.dmaPrefetchedPieces],
    ...Object.entries(profile.costsNs).map(([name, cost]): [string, Fact<unknown>] => [`${name}, ns`, cost]),
  ]
  const rows = facts.map(([name, { value, status, source }]) => {
    const shown = Array.isArray(value) ? value.join(' / ') : String(value)
    return `<tr><td>${escaped(name)}</td><td class="number">${escaped(shown)}</td><td>${statusHtml(status)}</td><td>${escaped(source)}</td></tr>`
  })
  return `<table><thead><tr><th scope="col">figure</th><th scope="col" class="number">value, or best / typical / worst</th><th scope="col">status</th><th scope="col">source</th></tr></thead><tbody>${rows.join('')}</tbody></table>`
}

function statusHtml(status: string): string {
  const look = status.includes('ASSUMED') ? 'assumed' : status.includes('MEASURED') ? 'measured' : ''
  return look === '' ? escaped(status) : `<span class="${look}">${escaped(status)}</span>`
}

/** Names of costs and rates whose status has `word` in it. */
export function factsWith(profile: BoardProfile, word: 'ASSUMED' | 'MEASURED'): string[] {
  const { costsNs, dmaBytesPerNs, dmaPrefetchedPieces } = profile
  return Object.entries({ dmaBytesPerNs, dmaPrefetchedPieces, ...costsNs })
    .filter(([, { status }]) => status.includes(word))
    .map(([name]) => name)
}
