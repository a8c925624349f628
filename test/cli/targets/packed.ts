/** Both sides of a packed ring. */
export { referencePackedDevice, referencePackedDriver } from '../../../src/testing/index.ts'
