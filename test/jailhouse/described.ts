/** Jailhouse's own ZCU102 files, from the values of their fields. */
import data from '../data/jailhouse-cells.json' with { type: 'json' }

type Cell = (typeof data)['cell'] | (typeof data)['system']['rootCell']

function cellOf({ pciDevices, ...rest }: Cell) {
  const devices = pciDevices.map(({ barMask0, ...device }) => ({ ...device, barMasks: [barMask0] }))
  return { ...rest, pciDevices: devices }
}

const { bytes: systemBytes, sha256: systemHash, name: _systemFile, rootCell, ...system } = data.system
const { bytes: cellBytes, sha256: cellHash, name: _cellFile, cellName, ...cell } = data.cell

/** `zynqmp-zcu102`: the system with its root cell. */
export const zcu102 = {
  description: { ...system, rootCell: cellOf(rootCell) },
  bytes: systemBytes,
  sha256: systemHash,
}

/** `zynqmp-zcu102-linux-demo`. */
export const linuxDemo = {
  description: { ...cellOf(cell as never), name: cellName },
  bytes: cellBytes,
  sha256: cellHash,
}
