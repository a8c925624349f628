/** `platform` and `calibration`: the boards that there are, as files to copy and to fill in. */
import { BOARD_PROFILES, type BoardProfile, calibrationTemplate, formatBoardProfile } from '../platform-zcu102/index.ts'
import { fileReader, profileNamed } from './scenario-profile.ts'
import { renderTable } from './table.ts'
import { EXIT_OK, painter, type Terminal, UsageError } from './terminal.ts'

export function platformCommand(
  action: string | undefined,
  name: string | undefined,
  flags: { readonly json?: boolean },
  terminal: Terminal,
): number {
  const profiles = Object.values(BOARD_PROFILES)
  if (action === 'list' && name === undefined) {
    terminal.stdout.write(flags.json ? json(profiles) : renderList(profiles, terminal))
  } else if (action === 'show' && name !== undefined) {
    const profile = profileNamed(name, fileReader(null, terminal.cwd))
    terminal.stdout.write(flags.json ? json(profile) : formatBoardProfile(profile))
  } else throw new UsageError('use platform list, or platform show NAME, where NAME may be file:PATH')
  return EXIT_OK
}

export function calibrationCommand(
  action: string | undefined,
  flags: { readonly platform?: unknown },
  terminal: Terminal,
): number {
  if (action !== 'template') throw new UsageError('use calibration template, with --platform for another board')
  const profile = profileNamed(String(flags.platform ?? 'zcu102'), fileReader(null, terminal.cwd))
  terminal.stdout.write(calibrationTemplate(profile))
  return EXIT_OK
}

function renderList(profiles: readonly BoardProfile[], terminal: Terminal): string {
  const rows = profiles.map((profile) => {
    const costs = Object.values(profile.costsNs)
    const assumed = costs.filter(({ status }) => status.includes('ASSUMED')).length
    return [
      `${profile.name}  ${profile.title}`,
      String(profile.cores.value),
      (profile.cpuHz.value / 1e9).toFixed(2),
      String(profile.pageColors.value),
      `${assumed} of ${costs.length}`,
    ]
  })
  return renderTable(
    [['platform', 'cores', 'GHz', 'page colours', 'costs ASSUMED'], ...rows],
    painter(terminal.stdout, terminal.env),
  )
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`
}
