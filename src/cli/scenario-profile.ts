/** The board of a scenario, with the platform and calibration files that it names, and what the command line says over them. */
import { dirname, resolve } from 'node:path'
import {
  type BoardProfile,
  calibrated,
  parseBoardProfile,
  parseCalibration,
  profileOf,
} from '../platform-zcu102/index.ts'
import type { Scenario } from '../scenario/index.ts'
import { reasonOf } from './file-error.ts'
import { readTextFile } from './input-files.ts'
import { UsageError } from './terminal.ts'

/** Reads the text of a file that a scenario names, by the path that is written there. */
export type ReadFile = (path: string) => string

/** As they come from the command line, still to be checked. */
export interface PlatformFlags {
  readonly platform?: unknown
  readonly calibration?: unknown
}

const FILE = 'file:'

/** Throws `InputError` or `VirtioError` for what is wrong with the platform or its calibration, and what `readFile` throws. */
export function profileOfScenario(
  { platform, calibration }: Pick<Scenario, 'platform' | 'calibration'>,
  readFile: ReadFile,
): BoardProfile {
  const profile = profileNamed(platform, readFile)
  if (calibration === null) return profile
  const path = calibration.slice(FILE.length)
  return calibrated(profile, parseCalibration(readFile(path), { path }))
}

/** A built-in one, or that of `file:PATH`. */
export function profileNamed(platform: string, readFile: ReadFile): BoardProfile {
  if (!platform.startsWith(FILE)) return profileOf(platform)
  const path = platform.slice(FILE.length)
  return parseBoardProfile(readFile(path), { path })
}

/** Paths start at the scenario's folder, else at the current one; with null there is no scenario. */
export function fileReader(scenarioPath: string | null, cwd: string): ReadFile {
  const folders = scenarioPath === null ? [cwd] : [dirname(resolve(cwd, scenarioPath)), cwd]
  return (path) => {
    if (path === '') throw new UsageError('file: names no file; write file:PATH')
    const places = [...new Set(folders.map((folder) => resolve(folder, path)))]
    for (const place of places) {
      try {
        return readTextFile(place)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue
        throw new UsageError(`cannot read ${place}: ${reasonOf(error)}`, { cause: error })
      }
    }
    const lookedFor = places.length === 1 && places[0] === path ? '' : `, looked for ${places.join(' and ')}`
    throw new UsageError(`there is no file ${path}${lookedFor}`)
  }
}

/** The scenario with `--platform NAME` or `--platform file:PATH`, and `--calibration PATH`; these start at the current folder. */
export function withPlatform(scenario: Scenario, flags: PlatformFlags, cwd: string): Scenario {
  return { ...scenario, ...namedBy(flags, cwd) }
}

/** Throws `UsageError` for flags that name nothing, before anything else is looked at. */
export function checkPlatform(flags: PlatformFlags, cwd: string): void {
  namedBy(flags, cwd)
}

/** The board of the flags alone, where there is no scenario; without flags the zcu102. */
export function profileOfFlags(flags: PlatformFlags, cwd: string): BoardProfile {
  const named = { platform: 'zcu102', calibration: null, ...namedBy(flags, cwd) }
  return profileOfScenario(named, fileReader(null, cwd))
}

function namedBy({ platform, calibration }: PlatformFlags, cwd: string): { platform?: string; calibration?: string } {
  const one = (option: string, value: unknown): string => {
    if (Array.isArray(value) || value === '') throw new UsageError(`${option} takes one value`)
    return String(value)
  }
  const absolute = (path: string) => `${FILE}${path && resolve(cwd, path)}`
  const named: { platform?: string; calibration?: string } = {}
  if (platform !== undefined) {
    const name = one('--platform', platform)
    named.platform = name.startsWith(FILE) ? absolute(name.slice(FILE.length)) : name
  }
  if (calibration !== undefined) named.calibration = absolute(one('--calibration', calibration))
  return named
}
