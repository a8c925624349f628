#!/usr/bin/env bash
# Best guess: two PCI devices of v86 that share an interrupt line are wired-OR, as on a real bus: the line falls when the last of them lowers it.
# Seen: raise_irq and lower_irq set the level of the shared line itself. Both devices raise, one lowers: the request of the other is gone from
# the controller (IRQ 10, level triggered, nothing acknowledged), so a driver that waits for it waits for ever. Who adds devices has to OR them.
# How: a ROM of 40 bytes, written here, makes IRQ 10 level triggered (port 0x4d1) and copies the slave's request register to memory for ever.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm init -y > /dev/null
npm install --silent --no-audit --no-fund v86@0.5.462

cat > run.mjs <<'JS'
import { createRequire } from 'node:module'
import { V86 } from 'v86'
const rom = new Uint8Array(0x10000).fill(0x90)
rom.set([0xea, 0x00, 0x00, 0x00, 0xf0], 0xfff0) // jmp f000:0000
rom.set([
  0x31, 0xc0, 0x8e, 0xd8, // ds = 0
  0xba, 0xd1, 0x04, 0xb0, 0x04, 0xee, // out 0x4d1, 4: IRQ 10 by level
  0xb0, 0x0a, 0xe6, 0xa0, 0xe4, 0xa0, 0xa2, 0x00, 0x05, // [0x500] = request register of the slave
  0xff, 0x06, 0x02, 0x05, // ++[0x502]
  0xeb, 0xf1, // again
])
const wasm = createRequire(import.meta.url).resolve('v86').replace(/libv86\.m?js$/, 'v86.wasm')
const quiet = { disable_keyboard: true, disable_mouse: true, disable_speaker: true }
const emulator = new V86({ wasm_path: wasm, memory_size: 16 << 20, autostart: false, bios: { buffer: rom.buffer }, ...quiet })
await new Promise((resolve) => emulator.add_listener('emulator-ready', resolve))
const { cpu } = emulator.v86
const { pci } = cpu.devices
const plug = (slot) => {
  const space = new Array(256).fill(0)
  space[0x3d] = 1 // pin A
  const device = { name: `slot ${slot}`, pci_id: slot << 3, pci_space: space, pci_bars: [] }
  pci.register_device(device)
  return device
}
const [first, second] = [plug(8), plug(12)] // four slots apart: the same line
for (let line = 0; line < 4; line++) pci.isa_bridge_space8[0x60 + line] = 10
await emulator.run()
const look = async (what) => {
  const rounds = () => cpu.mem8[0x502] | (cpu.mem8[0x503] << 8)
  for (let from = rounds(), waited = 0; ((rounds() - from) & 0xffff) < 3 && waited < 500; waited++) {
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  console.log(`${what}: IRQ 10 ${(cpu.mem8[0x500] >> 2) & 1 ? 'requested' : 'not requested'}`)
}
await look('nobody has raised')
pci.raise_irq(first.pci_id)
await look('the first has raised')
pci.raise_irq(second.pci_id)
await look('both have raised')
pci.lower_irq(first.pci_id)
await look('the first has lowered, the second has not')
process.exit(0)
JS
node -p '`v86 ${require("v86/package.json").version}`'
node run.mjs | tee now
diff now - <<'SEEN' || { echo 'CHANGED since it was seen'; exit 1; }
nobody has raised: IRQ 10 not requested
the first has raised: IRQ 10 requested
both have raised: IRQ 10 requested
the first has lowered, the second has not: IRQ 10 not requested
SEEN
echo 'as it was seen'
