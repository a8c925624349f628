/**
 * The configuration space of a function as v86 takes it: bytes that v86 copies, and from then on keeps without asking anybody. So the
 * function's own copy stays as it was, a guest cannot turn INTx off, and the window of the PCI_CFG capability leads nowhere.
 */
import type { PciFunction } from '../transport/index.ts'

const BAR0 = 0x10
const CAPABILITIES = 0x34
const CAP_VENDOR = 9
const CFG_PCI = 5
const WINDOW = 16

/** The 256 bytes, with BAR 0 at `port`. */
export function configurationBytes(pciFunction: PciFunction, port: number): number[] {
  const window = windowStart(pciFunction)
  const bytes: number[] = []
  for (let offset = 0; offset < 256; offset++) {
    // A read there is an access to the BAR.
    const isWindow = offset >= window && offset < window + 4
    bytes.push(isWindow ? 0 : pciFunction.readConfig(offset, 1))
  }
  const bar = (port | 1) >>> 0
  for (let i = 0; i < 4; i++) bytes[BAR0 + i] = (bar >>> (8 * i)) & 0xff
  return bytes
}

/** Offset of pci_cfg_data. */
function windowStart(pciFunction: PciFunction): number {
  let at = pciFunction.readConfig(CAPABILITIES, 1)
  while (at !== 0) {
    const isWindow = pciFunction.readConfig(at, 1) === CAP_VENDOR && pciFunction.readConfig(at + 3, 1) === CFG_PCI
    if (isWindow) return at + WINDOW
    at = pciFunction.readConfig(at + 1, 1)
  }
  return 256
}
