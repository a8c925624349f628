import { expect, it } from 'vitest'
import type { FlowQueues } from '../../src/broker/flow-queues.ts'
import type { Endpoint } from '../../src/broker/index.ts'
import { MessageTable } from '../../src/broker/message-table.ts'
import { Outlet } from '../../src/broker/outlet.ts'
import { ReceiveBuffer, type ReceivePool } from '../../src/broker/receive-pool.ts'
import type { RelayContext } from '../../src/broker/relay-context.ts'
import { Transfer } from '../../src/broker/transfer.ts'

it('of a transfer whose receiver is gone, drops what it has and has not announced: not what it had in an earlier life', () => {
  const outlet = new Outlet({ router: { headerBytes: 0 } } as RelayContext, {} as FlowQueues)
  const released: number[] = []
  const pool = { release: ({ id }: ReceiveBuffer) => released.push(id) } as unknown as ReceivePool
  const transfers = [5, 3].map((pieces, life) => {
    const transfer = new Transfer()
    const message = new MessageTable(0).take()
    message.transfers = 1
    transfer.open(message, pool, 0)
    for (let i = 0; i < 5; i++) transfer.appendPiece(Object.assign(new ReceiveBuffer(), { id: 10 * life + i }), 1)
    // The arrays are kept between lives: only `pieces` says how many there are.
    transfer.pieces = pieces
    transfer.announced = 2
    return transfer
  })
  const endpoint = { arrived: transfers } as unknown as Endpoint
  expect(outlet.drop(endpoint, 2)).toBe(2)
  expect(released).toEqual([2, 3])
  expect(outlet.drop(endpoint, 8)).toBe(2)
  expect(released).toEqual([2, 3, 4, 12])
  expect(outlet.drop(endpoint, 8)).toBe(0)
})
