import { VirtioError } from '../internal/error.ts'

/** Throws `VirtioError` INVALID_COUNT: to run no case at all, because the count is none, would look like success. */
export function expectCount(name: string, count: number): void {
  if (!(count >= 0)) throw new VirtioError('INVALID_COUNT', `${name} is ${count}; it must be a number, 0 or more`)
}
