/** What scenarios are read with, for other files that people write. Not public: what it reads is. */
export { anything, bestTypicalWorst, integer, name, nullable, rate, text } from './fields.ts'
export { type Report, readFields, readValue, type Shape } from './read-fields.ts'
export { type InputKind, type ParseOptions, readInput } from './read-input.ts'
