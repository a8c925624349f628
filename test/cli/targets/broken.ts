import { DEVICES_THAT_TRUST, DEVICES_WRONG_WITH_HONEST_DRIVERS } from '../../testing/broken-targets.ts'

/** Wrong only with a hostile driver, and wrong with an honest one. */
export const targets = [DEVICES_THAT_TRUST[0], DEVICES_WRONG_WITH_HONEST_DRIVERS[0]]
