import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const source = fileURLToPath(new URL('./src', import.meta.url))

export default defineConfig({
  resolve: {
    // Tests and examples import the package by its name, and get the sources.
    alias: [
      { find: /^virtio-sdk$/, replacement: `${source}/index.ts` },
      { find: /^virtio-sdk\/(.+)$/, replacement: `${source}/$1/index.ts` },
    ],
  },
  test: {
    // The main process mostly waits: with the default, a core fewer, two cores run one file at a time.
    maxWorkers: '100%',
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/package/**', 'test/node-versions/**', 'test/board/**', 'test/linux-guests/**'],
          testTimeout: 30_000,
        },
      },
      // Devices, drivers and transports once more, with packed rings where a test does not choose.
      {
        extends: true,
        test: {
          name: 'packed',
          include: ['test/virtio/**/*.test.ts', 'test/transport/**/*.test.ts'],
          setupFiles: ['test/packed-rings.ts'],
          testTimeout: 30_000,
        },
      },
      // On QEMU's model of the ZCU102: needs QEMU and a cross compiler.
      { extends: true, test: { name: 'board', include: ['test/board/*.test.ts'], testTimeout: 120_000 } },
      // Linux in the emulator v86: needs Debian's packages, by apt, and gcc.
      {
        extends: true,
        test: { name: 'linux', include: ['test/linux-guests/*.test.ts'], testTimeout: 120_000, hookTimeout: 180_000 },
      },
      // What users install: needs a build, packs it, and uses it from a scratch project.
      { test: { name: 'package', include: ['test/package/*.test.ts'], testTimeout: 120_000, hookTimeout: 300_000 } },
      // The same under every supported Node, which the registry provides: slow, needs the network.
      {
        test: { name: 'nodes', include: ['test/node-versions/*.test.ts'], testTimeout: 300_000, hookTimeout: 300_000 },
      },
    ],
  },
})
