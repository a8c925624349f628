/** What a user's target module may look like: two targets, one of them behind a function. */
import { referenceDevice, referenceDriver } from '../../../src/testing/index.ts'

export const device = referenceDevice
export default () => referenceDriver
