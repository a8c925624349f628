#!/usr/bin/env bash
# Best guess: babeltrace2 turns the cycles of a trace clock into nanoseconds with integers, so a clock of 100 MHz counts in steps of 10 ns
# whatever its value, and events of two processors are merged in the order of their timestamps.
# Seen: the conversion goes through a double unless the frequency is 1 GHz. From 2^53 ns on (104 days) digits are lost; a 100 MHz clock that
# counts since 1970 has steps of 256 ns and more. Events become equal, equal ones are merged by the name of their stream, and the "run" on one
# processor comes before the "wake" on another that caused it. With the same instant as the clock's offset and small counts every
# timestamp is right: a tracer should write offset_s, or nanoseconds.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source "$here/support/debian-packages.sh"
debian_packages babeltrace2=2.0.4-1+b6
export BABELTRACE_PLUGIN_PATH="$tmp/root/usr/lib/x86_64-linux-gnu/babeltrace2/plugins"

cat > "$tmp/make.mjs" <<'JS'
// CTF 1.8, two streams of one packet each: "wake" on processor 1, 30 ns later "run" on processor 0, five times, every 90 ns.
import { mkdirSync, writeFileSync } from 'node:fs'
const [folder, offset, first] = process.argv.slice(2)
mkdirSync(folder)
writeFileSync(`${folder}/metadata`, `/* CTF 1.8 */
typealias integer { size = 32; align = 8; signed = false; } := u32;
typealias integer { size = 64; align = 8; signed = false; } := u64;
clock { name = c; freq = 100000000; offset_s = ${offset}; };
typealias integer { size = 64; align = 8; signed = false; map = clock.c.value; } := time;
trace { major = 1; minor = 8; byte_order = le; packet.header := struct { u32 magic; u32 stream_id; }; };
stream { id = 0; packet.context := struct { time timestamp_begin; time timestamp_end; };
  event.header := struct { u32 id; time timestamp; }; };
event { id = 0; name = "wake"; stream_id = 0; fields := struct { u32 n; }; };
event { id = 1; name = "run"; stream_id = 0; fields := struct { u32 n; }; };
`)
const words = (...values) => Buffer.concat(values.map((value) => {
  const bytes = Buffer.alloc(typeof value === 'bigint' ? 8 : 4)
  if (typeof value === 'bigint') bytes.writeBigUInt64LE(value)
  else bytes.writeUInt32LE(value)
  return bytes
}))
const start = BigInt(first)
for (const [processor, event, delay] of [[0, 1, 3n], [1, 0, 0n]]) {
  const events = [0, 1, 2, 3, 4].map((n) => words(event, start + BigInt(9 * n) + delay, n))
  writeFileSync(`${folder}/cpu${processor}`, Buffer.concat([words(0xc1fc1fc1, 0, start, start + 100n), ...events]))
}
JS
node "$tmp/make.mjs" "$tmp/counts-since-1970" 0 179000000000000000
node "$tmp/make.mjs" "$tmp/offset" 1790000000 0
show() {
  echo "$1: nanoseconds of the second, and what happened"
  babeltrace2 --clock-seconds --no-delta "$tmp/$1" | sed -E 's/^\[[0-9]+\.([0-9]+)\] (.*): .*n = ([0-9]) }$/\1 \2 \3/' | paste -sd, | sed 's/,/, /g'
}
babeltrace2 --version | head -1
{ show counts-since-1970; show offset; } | same_as_seen 'counts-since-1970: nanoseconds of the second, and what happened
000000000 run 0, 000000000 run 1, 000000000 wake 0, 000000000 wake 1, 000000256 run 2, 000000256 run 3, 000000256 run 4, 000000256 wake 2, 000000256 wake 3, 000000256 wake 4
offset: nanoseconds of the second, and what happened
000000000 wake 0, 000000030 run 0, 000000090 wake 1, 000000120 run 1, 000000180 wake 2, 000000210 run 2, 000000270 wake 3, 000000300 run 3, 000000360 wake 4, 000000390 run 4'
