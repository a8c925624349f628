import { defineConfig } from 'vitest/config'
import shared from './vitest.config.ts'

// What the mutants of src/virtqueue have to pass: the queue's own tests, without the projects of the whole repository.
export default defineConfig({
  ...(shared.resolve && { resolve: shared.resolve }),
  test: { include: ['test/virtqueue/**/*.test.ts'], testTimeout: 30_000 },
})
