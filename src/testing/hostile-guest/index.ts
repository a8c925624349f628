/** A guest that does its worst, on any platform. Public as `virtio-sdk/testing/hostile-guest`; docs/hostile.md. */
export { Accomplices, HostileGuest, type HostileGuestOptions, type HostilePeer } from './hostile-guest.ts'
export { HostileKick } from './hostile-kick.ts'
export { HOSTILE_STRATEGIES, type HostileStrategyName } from './strategies.ts'
