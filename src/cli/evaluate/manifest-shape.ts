/** What `manifest.json` and `parts/request.json` may hold: a disk, or a hand, may have changed them. */
import { MANIFEST_FORMAT } from '../../evaluation/index.ts'
import { listOf, mistakeIn, object, oneOf, type Shape, text, whole } from '../shapes.ts'

/** Also of a file, so no path: `acceptance`. */
const name: Shape = (value) => {
  return typeof value === 'string' && /^[a-z\d][a-z\d-]*$/.test(value) ? null : 'a name of small letters'
}

const REQUEST = {
  format: oneOf(MANIFEST_FORMAT),
  version: text,
  campaign: object({ seed: whole(0), points: whole(1, 1000), sets: whole(1, 10_000_000) }),
  shard: object({ index: whole(1, 999_999), count: whole(1, 999_999) }),
  platform: object({ name: text }),
}

const EXPERIMENT = {
  name,
  title: text,
  rows: whole(0),
  sha256: text,
  rowsOfUnits: listOf(whole(0), 'whole numbers'),
}

/** Null: `value` is a request. */
export function mistakeInRequest(value: unknown): string | null {
  return mistakeIn(value, { ...REQUEST, experiments: listOf(name, 'names') })
}

/** Null: `value` is a manifest, and its files are those that such a manifest has. */
export function mistakeInManifest(value: unknown): string | null {
  const mistake = mistakeIn(value, { ...REQUEST, experiments: listOf(object({}), 'experiments') })
  if (mistake !== null) return mistake
  for (const experiment of (value as { experiments: { name: unknown }[] }).experiments) {
    const wrong =
      mistakeIn(experiment, EXPERIMENT) ?? mistakeIn(experiment, { file: oneOf(`data/${experiment.name}.ndjson`) })
    if (wrong !== null) return `experiment ${JSON.stringify(experiment.name)}: its ${wrong}`
  }
  return null
}
