/** The rooms of the house: what each folder of `src` may import. */
const BELOW_PLATFORMS = [
  'internal',
  'memory',
  'sim',
  'virtqueue',
  'platform',
  'virtio',
  'zero-copy',
  'analysis',
  'transport',
  'broker',
]

/** From a scenario to what the machine is built by and the prediction counts from. */
const RESOLVED = ['scenario', 'boards', 'plan']

/** What a folder of src may import besides itself; strictly downward. */
export const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  internal: [],
  memory: ['internal'],
  sim: ['internal'],
  virtqueue: ['internal', 'memory'],
  platform: ['internal', 'memory'],
  scenario: ['internal'],
  virtio: ['internal', 'memory', 'virtqueue'],
  'zero-copy': ['internal', 'memory', 'virtqueue', 'platform'],
  analysis: ['internal', 'platform'],
  transport: ['internal', 'memory', 'virtqueue', 'virtio'],
  broker: ['internal', 'memory', 'virtqueue', 'platform', 'zero-copy'],
  boards: ['internal', 'memory', 'platform', 'scenario'],
  plan: ['internal', 'memory', 'virtqueue', 'platform', 'zero-copy', 'broker', 'scenario', 'boards'],
  // Neither knows of the other: what both need of a scenario stands in the plan.
  prediction: ['internal', 'memory', 'virtqueue', 'platform', 'zero-copy', 'analysis', 'broker', ...RESOLVED],
  machine: [...BELOW_PLATFORMS.filter((folder) => folder !== 'analysis'), ...RESOLVED],
  // The prediction: only to hand it out, as `virtio-sdk/platform-zcu102` always has.
  'platform-zcu102': [...BELOW_PLATFORMS, ...RESOLVED, 'machine', 'prediction'],
  native: ['internal'],
  v86: ['internal', 'memory', 'virtqueue', 'virtio', 'transport'],
  linux: ['internal', 'memory', 'virtqueue', 'platform', 'virtio', 'zero-copy', 'transport', 'broker', 'v86'],
  'platform-qemu': [
    ...BELOW_PLATFORMS.filter((folder) => folder !== 'analysis'),
    ...RESOLVED,
    'machine',
    'platform-zcu102',
    'native',
  ],
  node: ['internal', 'memory', 'virtqueue', 'virtio'],
  testing: BELOW_PLATFORMS,
  jailhouse: ['internal', ...RESOLVED],
  page: ['internal'],
  evaluation: [...BELOW_PLATFORMS, 'scenario', 'platform-zcu102', 'testing', 'page'],
  cli: [
    ...BELOW_PLATFORMS,
    'scenario',
    'prediction',
    'platform-zcu102',
    'platform-qemu',
    'linux',
    'jailhouse',
    'testing',
    'page',
    'evaluation',
  ],
  // src/index.ts
  '': [...BELOW_PLATFORMS, 'scenario', 'platform-zcu102'],
}
