#!/usr/bin/env bash
# Best guess: the ZDMA of QEMU's xlnx-zcu102 counts the bytes of one run in ZDMA_CH_TOTAL_BYTE, so a second run starts from zero; and a copy from
# addresses with no memory behind them ends with an error bit of the AXI side in ZDMA_CH_ISR.
# Seen: the count runs on from transfer to transfer until software writes the register; and a copy from nowhere sets DONE (ISR 0x400) with all
# bytes counted, no error, status idle. The destination is overwritten with zeros. Who wants to see lost data has to compare it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source "$here/support/debian-packages.sh"
debian_packages qemu-system-arm=1:7.2+dfsg-7+deb12u18+b3

cat > "$tmp/run.mjs" <<'JS'
const { startQemu } = await import(process.argv[2])
const qemu = await startQemu([], { machine: 'xlnx-zcu102' })
const gdma = 0xfd50_0000
const [ISR, STATUS, SRC, DST, TOTAL_BYTE, CTRL2] = [0x100, 0x11c, 0x128, 0x138, 0x188, 0x200]
const copy = async (name, from, to, length) => {
  await qemu.write32(gdma + ISR, 0xfff)
  for (const [at, address] of [[SRC, from], [DST, to]]) {
    for (const [word, value] of [address, 0, length, 0].entries()) await qemu.write32(gdma + at + 4 * word, value)
  }
  await qemu.write32(gdma + CTRL2, 1)
  const hex = async (register) => `0x${(await qemu.read32(gdma + register)).toString(16)}`
  const arrived = (await qemu.read(to, 4)).toString('hex')
  console.log(`${name}: ISR ${await hex(ISR)}, STATUS ${await hex(STATUS)}, TOTAL_BYTE ${await qemu.read32(gdma + TOTAL_BYTE)}, first bytes ${arrived}`)
}
await qemu.write(0x10_0000, Buffer.alloc(4096, 0x5a))
await qemu.write(0x20_0000, Buffer.alloc(4096, 0xcc))
await copy('4096 bytes of memory', 0x10_0000, 0x20_0000, 4096)
await copy('1000 bytes of memory', 0x10_0000, 0x20_0000, 1000)
await qemu.write32(gdma + TOTAL_BYTE, 0xffff_ffff)
await copy('1000 bytes, TOTAL_BYTE written before', 0x10_0000, 0x20_0000, 1000)
await copy('4096 bytes from an address without memory', 0xa000_0000, 0x20_0000, 4096)
qemu.stop()
JS
qemu-system-aarch64 --version | head -1
node "$tmp/run.mjs" "$here/support/qtest.mjs" | same_as_seen '4096 bytes of memory: ISR 0x400, STATUS 0x0, TOTAL_BYTE 4096, first bytes 5a5a5a5a
1000 bytes of memory: ISR 0x400, STATUS 0x0, TOTAL_BYTE 5096, first bytes 5a5a5a5a
1000 bytes, TOTAL_BYTE written before: ISR 0x400, STATUS 0x0, TOTAL_BYTE 1000, first bytes 5a5a5a5a
4096 bytes from an address without memory: ISR 0x400, STATUS 0x0, TOTAL_BYTE 5096, first bytes 00000000'
