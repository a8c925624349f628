#!/usr/bin/env bash
# Best guess: the triple timers of QEMU's xlnx-zcu102 have counters of 32 bits, as UG1085 says of the chip, and run at 100 MHz, the usual
# clock of that bus; its RTC takes the time that software writes to SET_TIME_WRITE, and its alarm sets ALARM in RTC_INT_STATUS.
# Seen: the timers are those of the older Zynq. Interval and match registers keep 16 bits: 100000 ticks become 34464, so a period is short by
# two thirds, and software that counts 32 bits wraps after half a millisecond. They run near 133 MHz. The RTC drops the time that is set
# and runs on; neither the alarm nor the second ever shows in RTC_INT_STATUS. Releases by these timers are not those of the chip.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source "$here/support/debian-packages.sh"
debian_packages qemu-system-arm=1:7.2+dfsg-7+deb12u18+b3
printf '\x7f\x20\x03\xd5\xff\xff\xff\x17' > "$tmp/idle.bin" # wfi; b .-4

cat > "$tmp/run.mjs" <<'JS'
const [support, file] = process.argv.slice(2)
const { startQemu } = await import(support)
const qemu = await startQemu(['-audiodev', 'none,id=n'], { machine: 'xlnx-zcu102', idle: { at: '0x7000000', file } })
const ttc = 0xff11_0000
const [CLOCK, CONTROL, COUNT, INTERVAL, MATCH] = [0x00, 0x0c, 0x18, 0x24, 0x30]
for (const [name, register] of [['interval', INTERVAL], ['match', MATCH]]) {
  await qemu.write32(ttc + register, 100_000)
  console.log(`TTC ${name}: 100000 written, ${await qemu.read32(ttc + register)} read`)
}
await qemu.write32(ttc + CLOCK, 0x1f) // one tick in 2^16 clocks
await qemu.write32(ttc + CONTROL, 0x10) // from zero, without end
const seconds = () => performance.now() / 1000
const [first, from] = [await qemu.read32(ttc + COUNT), seconds()]
await new Promise((resolve) => setTimeout(resolve, 3000))
const [last, to] = [await qemu.read32(ttc + COUNT), seconds()]
const frequency = ((last - first) * 65.536) / (to - from) / 1000
console.log(`TTC clock: nearer to ${Math.abs(frequency - 133) < Math.abs(frequency - 100) ? 133 : 100} MHz`)

const rtc = 0xffa6_0000
const [SET_TIME, CURRENT, ALARM, STATUS, ENABLE] = [0x00, 0x10, 0x18, 0x20, 0x28]
const now = await qemu.read32(rtc + CURRENT)
await qemu.write32(rtc + SET_TIME, 1000)
await new Promise((resolve) => setTimeout(resolve, 1500))
console.log(`RTC: 1000 set, it ${(await qemu.read32(rtc + CURRENT)) >= now ? 'is where it was and runs on' : 'took it'}`)
await qemu.write32(rtc + ENABLE, 3)
const alarm = (await qemu.read32(rtc + CURRENT)) + 1
await qemu.write32(rtc + ALARM, alarm)
await new Promise((resolve) => setTimeout(resolve, 3500))
const passed = (await qemu.read32(rtc + CURRENT)) > alarm
console.log(`RTC alarm ${await qemu.read32(rtc + ALARM) === alarm ? 'set' : 'not set'}, passed ${passed}: RTC_INT_STATUS ${await qemu.read32(rtc + STATUS)}`)
qemu.stop()
JS
qemu-system-aarch64 --version | head -1
node "$tmp/run.mjs" "$here/support/qtest.mjs" "$tmp/idle.bin" | same_as_seen 'TTC interval: 100000 written, 34464 read
TTC match: 100000 written, 34464 read
TTC clock: nearer to 133 MHz
RTC: 1000 set, it is where it was and runs on
RTC alarm set, passed true: RTC_INT_STATUS 0'
