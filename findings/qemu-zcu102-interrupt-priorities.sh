#!/usr/bin/env bash
# Best guess: the GIC of QEMU's xlnx-zcu102 is the chip's GIC-400: 32 priorities, so 0x81 and 0x82 both read back as 0x80, a mask of 0x07 as 0,
# and an interrupt can be sent to the four processors that GICD_TYPER counts, so a target mask of 0xff reads back as 0x0f.
# Seen: 256 priorities, every bit kept, in the distributor as in the mask; and targets for eight processors. Of two pending interrupts with
# 0x82 and 0x81 the second, 41, is taken, where the chip has a tie and takes the lower number. A priority assignment that needs more than the
# upper five bits works on this model and not on the chip.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source "$here/support/debian-packages.sh"
debian_packages qemu-system-arm=1:7.2+dfsg-7+deb12u18+b3

cat > "$tmp/run.mjs" <<'JS'
import { writeFileSync } from 'node:fs'
const [support, file] = process.argv.slice(2)
const { startQemu } = await import(support)
const [results, done, program] = [0x10_0000, 0x10_1000, 0x700_0000]
// Interrupt controllers answer processors only: the accesses are a program of AArch64 that stores what it reads.
const instructions = []
const load = (register, value) => instructions.push(
  0xd280_0000 + (value & 0xffff) * 32 + register, // movz
  0xf2a0_0000 + (value >>> 16) * 32 + register, // movk, lsl 16
)
const write = (at, value) => {
  load(1, at)
  load(0, value)
  instructions.push(0xb900_0020) // str w0, [x1]
}
const names = []
const read = (name, at) => {
  load(1, at)
  load(2, results + 4 * names.push(name) - 4)
  instructions.push(0xb940_0020, 0xb900_0040) // ldr w0, [x1]; str w0, [x2]
}
const [GICD, GICC] = [0xf901_0000, 0xf902_0000]
const [CTLR, TYPER, ISENABLER1, ISPENDR1, IPRIORITYR10, ITARGETSR10] = [0, 4, 0x104, 0x204, 0x428, 0x828].map((offset) => GICD + offset)
const [CPU_CTLR, PMR, IAR] = [0, 4, 0xc].map((offset) => GICC + offset)
read('GICD_TYPER', TYPER)
write(IPRIORITYR10, 0xa0a0_8182) // interrupts 40 to 43
read('GICD_IPRIORITYR10, a0a08182 written', IPRIORITYR10)
write(ITARGETSR10, 0x0101_ffff)
read('GICD_ITARGETSR10, 0101ffff written', ITARGETSR10)
write(PMR, 0x07)
read('GICC_PMR, 07 written', PMR)
write(PMR, 0xff)
write(CTLR, 1)
write(CPU_CTLR, 1)
write(ISENABLER1, 0x300)
write(ISPENDR1, 0x300)
read('GICC_IAR, 40 and 41 pending', IAR)
write(done, 1)
instructions.push(0x1400_0000) // b .
const code = Buffer.alloc(4 * instructions.length)
for (const [index, instruction] of instructions.entries()) code.writeUInt32LE(instruction, 4 * index)
writeFileSync(file, code)

const qemu = await startQemu(['-audiodev', 'none,id=n'], { machine: 'xlnx-zcu102', idle: { at: `0x${program.toString(16)}`, file } })
for (let looks = 0; (await qemu.read32(done)) !== 1; looks++) {
  if (looks > 500) throw new Error('the program has not come to its end')
  await new Promise((resolve) => setTimeout(resolve, 20))
}
for (const [index, name] of names.entries()) console.log(`${name}: 0x${(await qemu.read32(results + 4 * index)).toString(16).padStart(8, '0')}`)
qemu.stop()
JS
qemu-system-aarch64 --version | head -1
node "$tmp/run.mjs" "$here/support/qtest.mjs" "$tmp/program.bin" | same_as_seen 'GICD_TYPER: 0x00000065
GICD_IPRIORITYR10, a0a08182 written: 0xa0a08182
GICD_ITARGETSR10, 0101ffff written: 0x0101ffff
GICC_PMR, 07 written: 0x00000007
GICC_IAR, 40 and 41 pending: 0x00000029'
