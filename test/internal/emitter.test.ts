import { describe, expect, it } from 'vitest'
import { Emitter } from '../../src/internal/emitter.ts'
import { WaitList } from '../../src/internal/wait-list.ts'

const unexpected = (error: unknown) => {
  throw error
}

describe('Emitter', () => {
  it('calls listeners in order, with what was emitted', () => {
    const emitter = new Emitter<{ ping: (a: number, b: string) => void }>(['ping'], unexpected)
    const seen: string[] = []
    expect(emitter.emit('ping', 0, 'nobody')).toBe(false)
    const first = (a: number, b: string) => seen.push(`first ${a}${b}`)
    emitter.on('ping', first).once('ping', (a) => seen.push(`once ${a}`))
    expect(emitter.emit('ping', 1, 'x')).toBe(true)
    emitter.emit('ping', 2, 'y')
    emitter.off('ping', first).off('ping', () => {})
    emitter.emit('ping', 3, 'z')
    expect(seen).toEqual(['first 1x', 'once 1', 'first 2y'])
    expect(emitter.listenerCount('ping')).toBe(0)
  })

  it('takes back what was added with once, by the function that was given', () => {
    const emitter = new Emitter<{ ping: () => void; pong: () => void }>(['ping', 'pong'], unexpected)
    let calls = 0
    const listener = () => calls++
    emitter.once('ping', listener).once('pong', listener).off('ping', listener)
    expect([emitter.listenerCount('ping'), emitter.listenerCount('pong')]).toEqual([0, 1])
    expect([emitter.emit('ping'), emitter.emit('pong'), emitter.emit('pong'), calls]).toEqual([false, true, false, 1])
  })

  it('a listener added or removed meanwhile counts from the next event on', () => {
    const emitter = new Emitter<{ ping: () => void }>(['ping'], unexpected)
    let late = 0
    emitter.on('ping', () => {
      emitter.on('ping', () => late++)
    })
    emitter.emit('ping')
    expect(late).toBe(0)
    emitter.emit('ping')
    expect(late).toBe(1)
  })

  it('hands on what an async listener rejects with, also one that is called once', async () => {
    const rejected: [unknown, string][] = []
    const emitter = new Emitter<{ ping: () => void }>(['ping'], (error, event) => rejected.push([error, event]))
    emitter.on('ping', () => Promise.reject(1))
    emitter.once('ping', async () => {
      throw new Error('my bug')
    })
    expect(emitter.emit('ping')).toBe(true)
    await new Promise(setImmediate)
    expect(rejected).toEqual([
      [1, 'ping'],
      [new Error('my bug'), 'ping'],
    ])
  })

  it('refuses events that there are not, and listeners that are none', () => {
    const emitter = new Emitter<Record<string, () => void>>(['ping', 'pong'], unexpected)
    const refused = (message: string) => expect.objectContaining({ code: 'INVALID_OPTION', message })
    expect(() => emitter.on('pinh', () => {})).toThrow(
      refused('event must be one of ping, pong, not "pinh"; did you mean ping?'),
    )
    expect(() => emitter.once('ping', null as never)).toThrow(refused('listener must be a function, not null'))
  })
})

describe('WaitList', () => {
  it('wakes who waits, oldest first, and nobody twice', async () => {
    const list = new WaitList()
    const order: number[] = []
    const waits = [1, 2].map((n) => list.wait().then(() => order.push(n)))
    list.wake()
    list.wake()
    await Promise.all(waits)
    expect(order).toEqual([1, 2])
  })

  it('rejects with the reason of an abort, before or during the wait', async () => {
    const list = new WaitList()
    await expect(list.wait(AbortSignal.abort(new Error('early')))).rejects.toThrow('early')
    const abort = new AbortController()
    const waiting = list.wait(abort.signal)
    abort.abort(new Error('late'))
    await expect(waiting).rejects.toThrow('late')
    list.wake()
  })
})
