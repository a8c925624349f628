/** What failed in a museum once more: an exhibit alone, or the one schedule of an exploration in which it failed. */
import { checkText } from '../../internal/check-option.ts'
import { VirtioError } from '../../internal/error.ts'
import { replayOrder } from './explored-plays.ts'
import { type MuseumTarget, runMuseum } from './run-museum.ts'

/** What a code showed. */
export interface ExhibitReplay {
  /** It went wrong, as it did before. */
  readonly failed: boolean
  /** In lines: of an exhibit its verdict and why; of a schedule every access, what both sides said, and how it ended. */
  readonly text: string
}

/**
 * `code`: `replay` of an `ExhibitResult`, such as `17` or `32/asleep/EVENT_IDX/tso:d15v21`. Throws `VirtioError` BAD_REPLAY for one that no exhibit for
 * this target has, INVALID_SCHEDULE for a schedule that the target does not follow, because it has changed.
 */
export function replayExhibit(target: MuseumTarget, code: string): ExhibitReplay {
  checkText('code', code)
  if (code.includes('/')) {
    const { failure, table } = replayOrder(target, code)
    return {
      failed: failure !== null,
      text: failure === null ? `${table}\nnothing is wrong in this schedule any more` : table,
    }
  }
  const number = Number(code)
  const results = Number.isInteger(number) && number > 0 ? runMuseum(target, { exhibits: [number] }).results : []
  if (results.length === 0)
    throw new VirtioError('BAD_REPLAY', `there is no exhibit ${code} for a ${target.side} queue`)
  return {
    failed: results.some(({ verdict }) => verdict === 'FAIL' || verdict === 'WEDGED'),
    text: results
      .map(({ title, verdict, detail }) => `${verdict} ${title}${detail === '' ? '' : `: ${detail}`}`)
      .join('\n'),
  }
}
