/** Boards as data, with the provenance of every figure, and the files that describe them. Runs nothing. */
export type { BoardProfile, CostTriple, Fact } from './board-profile.ts'
export { BOARD_PROFILES, builtInProfile, profileOf } from './boards.ts'
export { type Calibration, calibrated, calibrationTemplate, parseCalibration } from './calibration.ts'
export { COST_MEANINGS } from './cost-meanings.ts'
export { formatBoardProfile, parseBoardProfile } from './profile-file.ts'
export { type RateControl, type RateSetting, rateSetting } from './rate-control.ts'
export { zcu102 } from './zcu102.ts'
