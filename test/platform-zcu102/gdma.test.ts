import { describe, expect, it } from 'vitest'
import { DmaList } from '../../src/platform/index.ts'
import { Gdma } from '../../src/platform-zcu102/gdma.ts'

function listOf(...pieces: number[]): DmaList {
  const list = new DmaList()
  for (const bytes of pieces) {
    list.add(0, 0, bytes)
    list.endPiece()
  }
  return list
}

describe('Gdma', () => {
  it('moves piece after piece at its rate, with the cost of a descriptor each', () => {
    const dma = new Gdma(2, 0, () => 10)
    dma.start(listOf(100, 200), 1000)
    expect([dma.pieceEndNs(0), dma.endNs]).toEqual([1060, 1170])
  })

  it('PAUSE stops it after the piece behind the one in flight', () => {
    const dma = new Gdma(1, 0, () => 0)
    dma.start(listOf(100, 100, 100, 100), 0)
    expect(dma.pause(50)).toBe(true)
    expect([dma.completedPieces, dma.endNs]).toEqual([2, 200])
    expect(dma.extend(60)).toBe(false)
  })

  it('PAUSE comes too late for the last two pieces', () => {
    const dma = new Gdma(1, 0, () => 0)
    dma.start(listOf(100, 100), 0)
    expect(dma.pause(50)).toBe(false)
    expect(dma.completedPieces).toBe(2)
  })

  it('takes more while it runs, and not after it has ended', () => {
    const dma = new Gdma(1, 0, () => 0)
    const list = listOf(100)
    dma.start(list, 0)
    list.add(0, 0, 50)
    list.endPiece()
    expect(dma.extend(99)).toBe(true)
    expect(dma.endNs).toBe(150)
    expect(dma.extend(150)).toBe(false)
  })
})
