/** What a Linux guest boots from: BIOS, kernel and a root file system of busybox, modules and a tool for vsock. Made once, in a cache. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CHARACTER_DEVICE_MODE, type CpioEntry, cpioArchive, DIRECTORY_MODE } from './cpio.ts'
import { fetchDebianPackages } from './debian-packages.ts'
import { INIT_SCRIPT } from './init-script.ts'
import { modulesInOrder } from './kernel-modules.ts'
import { LinuxGuestError } from './linux-error.ts'

/** Bytes of each image. */
export interface GuestImages {
  readonly bios: Uint8Array
  readonly vgaBios: Uint8Array
  readonly kernel: Uint8Array
  readonly initrd: Uint8Array
  /** Which kernel it is: for figures and traces. */
  readonly kernelName: string
}

/** Drivers of ours, and what mounts a disk. */
const MODULES = [
  'virtio_pci',
  'virtio_rng',
  'virtio_blk',
  'virtio_console',
  'virtio_net',
  'vmw_vsock_virtio_transport',
  'crc32c_generic',
  'ext4',
]
const FILES = ['bios.bin', 'vgabios.bin', 'kernel', 'initrd', 'name'] as const

/** Default: in the user's cache folder, by XDG_CACHE_HOME where that is set. */
export function defaultCache(): string {
  return join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'virtio-sdk')
}

/** Reads the images from the cache, and makes them first where they are not there. Throws `LinuxGuestError`. */
export function guestImages(cache: string, tell: (message: string) => void): GuestImages {
  const folder = join(cache, 'images')
  if (!FILES.every((file) => existsSync(join(folder, file)))) makeImages(cache, folder, tell)
  const read = (file: (typeof FILES)[number]) => readFileSync(join(folder, file))
  return {
    bios: read('bios.bin'),
    vgaBios: read('vgabios.bin'),
    kernel: read('kernel'),
    initrd: read('initrd'),
    kernelName: read('name').toString().trim(),
  }
}

function makeImages(cache: string, folder: string, tell: (message: string) => void): void {
  mkdirSync(folder, { recursive: true })
  const { root, kernelPackage } = fetchDebianPackages(cache, tell)
  const release = kernelPackage.replace('linux-image-', '')
  const seabios = join(root, 'usr/share/seabios')
  const write = (file: (typeof FILES)[number], bytes: Uint8Array | string) => {
    writeFileSync(join(folder, `${file}.new`), bytes)
    renameSync(join(folder, `${file}.new`), join(folder, file))
  }
  write('bios.bin', readFileSync(join(seabios, 'bios.bin')))
  write('vgabios.bin', readFileSync(join(seabios, 'vgabios-stdvga.bin')))
  write('kernel', readFileSync(join(root, 'boot', `vmlinuz-${release}`)))
  write('initrd', initrd(root, release, compileTool(cache)))
  write('name', release)
  tell(`images of ${release} are in ${folder}`)
}

function initrd(root: string, release: string, tool: Uint8Array): Uint8Array {
  const modulesRoot = join(root, 'lib/modules')
  const folder = readdirSync(modulesRoot).find((name) => name === release)
  if (folder === undefined) throw new LinuxGuestError('PACKAGES', `the kernel package has no modules of ${release}`)
  const modules = modulesInOrder(join(modulesRoot, folder), MODULES)
  const text = (content: string) => new TextEncoder().encode(content)
  const entries: CpioEntry[] = [
    ...['bin', 'dev', 'proc', 'sys', 'tmp', 'mnt', 'modules'].map((path) => ({ path, mode: DIRECTORY_MODE })),
    { path: 'dev/console', mode: CHARACTER_DEVICE_MODE, device: [5, 1] },
    { path: 'bin/busybox', bytes: readFileSync(join(root, 'bin/busybox')) },
    { path: 'bin/vsock', bytes: tool },
    { path: 'init', bytes: text(INIT_SCRIPT) },
    { path: 'modules/order', bytes: text(`${modules.map(({ name }) => name).join('\n')}\n`) },
    ...modules.map(({ name, bytes }) => ({ path: `modules/${name}.ko`, bytes })),
  ]
  return cpioArchive(entries)
}

/** Neither a C library nor headers of i386 are needed. */
function compileTool(cache: string): Uint8Array {
  const source = join(packageRoot(), 'examples/linux/vsock-tool.c')
  const output = join(cache, 'vsock')
  const flags = ['-m32', '-nostdlib', '-static', '-no-pie', '-fno-pie', '-ffreestanding', '-fno-stack-protector', '-Os']
  try {
    execFileSync('gcc', [...flags, '-o', output, source], { stdio: ['ignore', 'pipe', 'pipe'] })
  } catch (error) {
    const { stderr, code } = error as { readonly stderr?: Buffer; readonly code?: string }
    const why = code === 'ENOENT' ? 'there is no gcc' : (stderr?.toString() ?? '')
    throw new LinuxGuestError('COMPILER', `the guest's vsock tool could not be compiled: ${why}`, { cause: error })
  }
  return readFileSync(output)
}

/** Two folders up from the sources, one from the bundle. */
function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder)
  return folder
}
