/** Everything that moving pages takes, put together for one broker on one platform. */
import { checkArray, checkInteger, checkMethods, checkObject } from '../internal/check-option.ts'
import type { PlatformPort } from '../platform/index.ts'
import { ColorPolicy } from './color-policy.ts'
import { FrameLedger } from './frame-ledger.ts'
import { Loans } from './loans.ts'
import { PageExchange } from './page-exchange.ts'
import { PageStock } from './page-stock.ts'
import { type TransferPolicy, TransferWay } from './transfer-policy.ts'
import { ZeroCopyCounters } from './zero-copy-counters.ts'

/** Options of `ZeroCopy`. */
export interface ZeroCopyOptions {
  readonly policy: TransferPolicy
  readonly vmCount: number
  /** Default: no colours. */
  readonly colors?: ColorPolicy
  /** The broker's own frames: zeroed, mapped nowhere, of colours that every VM may have. Default: none. */
  readonly spareFrames?: readonly number[]
}

/** Moves payloads by their pages: exchange, loan and stock together, as the broker uses them. */
export class ZeroCopy<Holder> {
  readonly policy: TransferPolicy
  /** How messages go whose payload fits: exchange or lend. */
  readonly way: TransferWay
  readonly ledger = new FrameLedger()
  readonly counters = new ZeroCopyCounters()
  readonly stock: PageStock
  readonly loans: Loans<Holder>
  readonly exchange: PageExchange<Holder>

  /** Null: the policy, or the platform, only copies. Then nobody needs to know who holds a frame. */
  static on<Holder>(port: PlatformPort, options: ZeroCopyOptions): ZeroCopy<Holder> | null {
    checkObject('options', options)
    const { policy, vmCount, colors, spareFrames } = options
    checkInteger('vmCount', vmCount, 1, 2 ** 16)
    checkMethods('policy', policy, 'a TransferPolicy', ['wayOn'])
    if (colors !== undefined) checkMethods('colors', colors, 'a ColorPolicy', ['fits'])
    if (spareFrames !== undefined) {
      checkArray('spareFrames', spareFrames, 'an array of frame numbers')
      for (const frame of spareFrames) checkInteger('spareFrames', frame, 0)
    }
    return policy.wayOn(port.capabilities) === TransferWay.copy ? null : new ZeroCopy(port, options)
  }

  private constructor(port: PlatformPort, options: ZeroCopyOptions) {
    const { policy, vmCount, colors = ColorPolicy.none(vmCount), spareFrames = [] } = options
    const { ledger, counters } = this
    this.policy = policy
    this.way = policy.wayOn(port.capabilities)
    this.stock = new PageStock(port, ledger, spareFrames)
    this.loans = new Loans(port, ledger, counters, vmCount)
    const { stock, loans } = this
    this.exchange = new PageExchange({ port, ledger, colors, stock, loans, counters, flushPages: policy.flushPages })
  }
}
