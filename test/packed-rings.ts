/** Packed rings where a test does not choose the common features, on both sides: what the test project `packed` begins with. */
import { vi } from 'vitest'

const RING_PACKED = 34

vi.mock('../src/virtio/device-registers-options.ts', async (original) => {
  const module = await original<typeof import('../src/virtio/device-registers-options.ts')>()
  return { ...module, USUAL_COMMON_FEATURES: module.USUAL_COMMON_FEATURES.with(RING_PACKED) }
})

vi.mock('../src/virtio/driver-features.ts', async (original) => {
  const module = await original<typeof import('../src/virtio/driver-features.ts')>()
  return { ...module, USUAL_DRIVER_FEATURES: module.USUAL_DRIVER_FEATURES.with(RING_PACKED) }
})

vi.stubEnv('RINGS', 'packed')
