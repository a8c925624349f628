/** Flags of `evaluate` and `merge` to values, or to a sentence that says what to write. */
import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { type Campaign, DEFAULT_CAMPAIGN, EXPERIMENTS, type Experiment, type Shard } from '../../evaluation/index.ts'
import { oneOf } from '../../internal/suggest.ts'
import { UsageError } from '../terminal.ts'

export function campaignOf(flags: { points?: unknown; sets?: unknown; seed?: unknown }): Campaign {
  return {
    seed: integer('--seed', flags.seed, DEFAULT_CAMPAIGN.seed, 0, Number.MAX_SAFE_INTEGER),
    points: integer('--points', flags.points, DEFAULT_CAMPAIGN.points, 1, 1000),
    sets: integer('--sets', flags.sets, DEFAULT_CAMPAIGN.sets, 1, 10_000_000),
  }
}

export function jobsOf(flag: unknown): number {
  return integer('--jobs', flag, availableParallelism(), 1, 1024)
}

function integer(option: string, flag: unknown, byDefault: number, least: number, most: number): number {
  if (flag === undefined) return byDefault
  if (typeof flag !== 'number' || !Number.isSafeInteger(flag) || flag < least || flag > most) {
    throw new UsageError(`${option} ${flag}: write one whole number from ${least} to ${most}`)
  }
  return flag
}

/** `3/8`: the third of eight. */
export function shardOf(flag: unknown): Shard {
  if (flag === undefined) return { index: 1, count: 1 }
  const match = /^(\d{1,6})\/(\d{1,6})$/.exec(String(flag))
  const index = Number(match?.[1])
  const count = Number(match?.[2])
  if (match === null || count < 1) throw new UsageError(`--shard ${flag}: write which of how many, such as 1/8`)
  if (index < 1 || index > count) {
    throw new UsageError(`--shard ${flag}: shards of ${count} are counted from 1/${count} to ${count}/${count}`)
  }
  return { index, count }
}

/** The experiments of `--only`, in the registry's order; without it all. */
export function experimentsOf(flag: unknown): readonly Experiment[] {
  if (flag === undefined) return EXPERIMENTS
  const names = (Array.isArray(flag) ? flag : [flag]).flatMap((part) => String(part).split(','))
  const known = EXPERIMENTS.map(({ name }) => name)
  for (const name of names) {
    if (!known.includes(name))
      throw new UsageError(`--only: there is no experiment ${name || "''"}; ${oneOf(name, known)}`)
  }
  return EXPERIMENTS.filter(({ name }) => names.includes(name))
}

export function outFolderOf(flag: unknown, cwd: string, byDefault?: string): string {
  if (flag === undefined) {
    if (byDefault === undefined) throw new UsageError('name the folder to write to with --out')
    return resolve(cwd, byDefault)
  }
  if (Array.isArray(flag) || flag === '' || typeof flag === 'boolean') {
    throw new UsageError('--out takes one folder')
  }
  return resolve(cwd, String(flag))
}
