/**
 * Property-test a virtqueue, ours or theirs. Public as `virtio-sdk/testing`; needs the peer dependency fast-check, which
 * `virtio-sdk/testing/core` does without. `docs/testing.md` shows how a queue is attached.
 */
export * from './core/index.ts'
export { type FuzzCase, type FuzzFinding, type FuzzOptions, type FuzzProgress, fuzz, replay } from './fuzz.ts'
export { type PackedQueueCommandOptions, type QueueCommandOptions, queueCommands } from './queue-commands.ts'
