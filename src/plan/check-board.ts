/** The options that name a placement and a board, of predictions and simulations alike. */

import type { BoardProfile } from '../boards/index.ts'
import { checkObject, checkWord } from '../internal/check-option.ts'
import type { Design } from './design.ts'

/** Throws `VirtioError` INVALID_OPTION. */
export function checkBoard(options: { readonly design: Design; readonly profile?: BoardProfile | undefined }): void {
  checkObject('options', options)
  checkWord('design', options.design, ['dedicated', 'floating'])
  if (options.profile !== undefined) checkObject('profile', options.profile, 'a BoardProfile')
}
