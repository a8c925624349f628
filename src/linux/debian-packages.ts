/**
 * Debian's i386 packages, by the machine's own apt and from wherever that is set to: package lists in a folder of their own, so that
 * nothing of the machine's apt or dpkg changes.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { LinuxGuestError } from './linux-error.ts'

/** The kernel that this was written with; when a mirror has it no longer, the newest of its series. */
const KERNEL = 'linux-image-6.1.0-50-686'
const KERNEL_SERIES = '^linux-image-6\\.1\\.0-[0-9]+-686$'
const OTHERS = ['busybox-static', 'seabios']

/** Where the packages' files are. */
export interface DebianFiles {
  /** Root of the unpacked packages. */
  readonly root: string
  readonly kernelPackage: string
}

/** Downloads and unpacks into `cache`. Throws `LinuxGuestError` PACKAGES, with what apt said. `tell` is given what to know. */
export function fetchDebianPackages(cache: string, tell: (message: string) => void): DebianFiles {
  const apt = join(cache, 'apt')
  for (const folder of ['lists/partial', 'cache/archives/partial', 'packages']) {
    mkdirSync(join(apt, folder), { recursive: true })
  }
  // No package is installed, whatever the machine has.
  writeFileSync(join(apt, 'status'), '')
  const options = [
    'APT::Architecture=i386',
    'APT::Architectures=i386',
    `Dir::State::Lists=${join(apt, 'lists')}`,
    `Dir::State::status=${join(apt, 'status')}`,
    `Dir::Cache=${join(apt, 'cache')}`,
    'APT::Sandbox::User=root',
    'Acquire::Retries=2',
  ].flatMap((option) => ['-o', option])
  const run = (command: string, ...words: string[]) => execute(command, [...options, ...words], join(apt, 'packages'))

  tell('reading the package lists of i386')
  try {
    run('apt-get', 'update', '-qq')
  } catch (error) {
    // Other sources than Debian's may have nothing for i386.
    tell(`apt-get update: ${(error as Error).message}`)
  }
  const kernel = chooseKernel(run('apt-cache', 'search', '--names-only', KERNEL_SERIES), tell)
  tell(`downloading ${[kernel, ...OTHERS].join(', ')}`)
  run('apt-get', 'download', '-qq', kernel, ...OTHERS)
  const root = join(cache, 'root')
  const downloaded = readdirSync(join(apt, 'packages'))
  for (const name of [kernel, ...OTHERS]) {
    const file = downloaded.filter((each) => each.startsWith(`${name}_`)).at(-1)
    if (file === undefined) throw new LinuxGuestError('PACKAGES', `apt-get download left no file of ${name}`)
    execute('dpkg-deb', ['--extract', join(apt, 'packages', file), root], apt)
  }
  return { root, kernelPackage: kernel }
}

/** Of the lines of a search: the kernel that is wanted, else the newest. */
export function chooseKernel(found: string, tell: (message: string) => void): string {
  const names = found
    .split('\n')
    .map((line) => line.split(' ')[0]!)
    .filter((name) => name !== '')
  if (names.includes(KERNEL)) return KERNEL
  const abi = (name: string) => Number(name.split('-').at(-2))
  const newest = names.sort((a, b) => abi(b) - abi(a))[0]
  if (newest === undefined) {
    throw new LinuxGuestError('PACKAGES', `apt knows no package ${KERNEL} and no other of Linux 6.1 for i386`)
  }
  tell(`${KERNEL} IS GONE: ${newest} instead; register traces and figures were taken with the former`)
  return newest
}

function execute(command: string, words: readonly string[], cwd: string): string {
  try {
    return execFileSync(command, words, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  } catch (error) {
    const { stderr = '', code } = error as { readonly stderr?: string; readonly code?: string }
    const why = code === 'ENOENT' ? 'there is no such command' : stderr.trim().split('\n').slice(-3).join(' ')
    throw new LinuxGuestError('PACKAGES', `${command} ${words.at(-1)}: ${why}`, { cause: error })
  }
}
