//! The device side of a split virtqueue in Rust, attached to the testing kit over stdin and stdout:
//!
//!     rustc -O --edition 2021 device.rs
//!     npx virtio-sdk museum --target "exec:./device"
//!     npx virtio-sdk fuzz --target "exec:./device" --time 30s
//!
//! `mod queue` is what a queue of yours would be: put yours there, over `GuestMemory`.

use std::io::{self, BufRead, Write};

/// The channel: guest memory is asked for, line by line.
mod memory {
    use super::*;

    pub struct GuestMemory;

    fn ask(question: &str) -> String {
        println!("{question}");
        io::stdout().flush().expect("stdout is the channel");
        let mut line = String::new();
        if io::stdin().lock().read_line(&mut line).unwrap_or(0) == 0 {
            std::process::exit(0)
        }
        line.trim_end().to_string()
    }

    impl GuestMemory {
        pub fn valid(&self, address: u64, length: u64) -> bool {
            ask(&format!("valid {address} {length}")) == "1"
        }

        /// None where there is no memory.
        pub fn read<const N: usize>(&self, address: u64) -> Option<[u8; N]> {
            let hex = ask(&format!("read {address} {N}"));
            let mut bytes = [0; N];
            for (i, byte) in bytes.iter_mut().enumerate() {
                *byte = u8::from_str_radix(hex.get(2 * i..2 * i + 2)?, 16).ok()?;
            }
            Some(bytes)
        }

        /// Two and four aligned bytes are one store.
        pub fn write(&self, address: u64, bytes: &[u8]) -> bool {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            ask(&format!("write {address} {hex}")) == "ok"
        }

        pub fn read_u16(&self, address: u64) -> u16 {
            self.read(address).map_or(0, u16::from_le_bytes)
        }
    }
}

mod queue {
    use super::memory::GuestMemory;

    const NEXT: u16 = 1;
    const WRITE: u16 = 2;
    const INDIRECT: u16 = 4;

    pub struct Ring {
        pub size: u32,
        pub descriptors: u64,
        pub driver_area: u64,
        pub device_area: u64,
        pub event_idx: bool,
        pub indirect: bool,
    }

    #[derive(Default)]
    pub struct Chain {
        pub head: u16,
        pub readable: Vec<(u64, u32)>,
        pub writable: Vec<(u64, u32)>,
    }

    /// The head that is to blame, if any, and the rule that it broke.
    pub struct Fault(pub i32, pub &'static str);

    pub struct Queue {
        memory: GuestMemory,
        ring: Ring,
        next_avail: u16,
        seen_avail: u16,
        used_idx: u16,
        published: u16,
        notified: u16,
        broken: bool,
        /// Writable bytes of each head that is in flight.
        in_flight: Vec<Option<u64>>,
    }

    impl Queue {
        pub fn new(memory: GuestMemory, ring: Ring) -> Result<Self, &'static str> {
            let size = u64::from(ring.size);
            let there = (1..=32768).contains(&size)
                && memory.valid(ring.descriptors, 16 * size)
                && memory.valid(ring.driver_area, 6 + 2 * size)
                && memory.valid(ring.device_area, 6 + 8 * size);
            if !there {
                return Err("the ring is not in memory");
            }
            let in_flight = vec![None; ring.size as usize];
            let (next_avail, seen_avail, used_idx, published, notified) = (0, 0, 0, 0, 0);
            Ok(Queue { memory, ring, next_avail, seen_avail, used_idx, published, notified, broken: false, in_flight })
        }

        pub fn take(&mut self) -> Result<Option<Chain>, Fault> {
            if self.broken {
                return Ok(None);
            }
            let taken = self.next();
            self.broken = taken.is_err();
            taken
        }

        fn next(&mut self) -> Result<Option<Chain>, Fault> {
            let idx = self.memory.read_u16(self.ring.driver_area + 2);
            let waiting = idx.wrapping_sub(self.next_avail);
            let known = self.seen_avail.wrapping_sub(self.next_avail);
            if u32::from(waiting) > self.ring.size || waiting < known {
                return Err(Fault(-1, "available-index-jump"));
            }
            self.seen_avail = idx;
            if waiting == 0 {
                return Ok(None);
            }
            let slot = u64::from(u32::from(self.next_avail) % self.ring.size);
            let head = self.memory.read_u16(self.ring.driver_area + 4 + 2 * slot);
            match self.in_flight.get(usize::from(head)) {
                None => return Err(Fault(-1, "head-out-of-range")),
                Some(Some(_)) => return Err(Fault(-1, "head-in-flight")),
                Some(None) => {}
            }
            let chain = self.walk(head).map_err(|rule| Fault(i32::from(head), rule))?;
            let bytes = chain.writable.iter().map(|(_, length)| u64::from(*length)).sum();
            self.in_flight[usize::from(head)] = Some(bytes);
            self.next_avail = self.next_avail.wrapping_add(1);
            Ok(Some(chain))
        }

        /// At most `size` buffers, so a loop ends (VQS-IND-DRV-03). Every descriptor is read once.
        fn walk(&self, head: u16) -> Result<Chain, &'static str> {
            let mut chain = Chain { head, ..Chain::default() };
            let (mut table, mut entries, mut index, mut in_table) =
                (self.ring.descriptors, self.ring.size, u32::from(head), false);
            let (mut count, mut total, mut saw_writable) = (0, 0u64, false);
            loop {
                if index >= entries {
                    return Err(if in_table { "indirect-next-out-of-range" } else { "next-out-of-range" });
                }
                if count == self.ring.size {
                    return Err("chain-too-long");
                }
                let b: [u8; 16] = self.memory.read(table + 16 * u64::from(index)).ok_or("indirect-outside-memory")?;
                let address = u64::from_le_bytes(b[0..8].try_into().expect("8 bytes"));
                let length = u32::from_le_bytes(b[8..12].try_into().expect("4 bytes"));
                let flags = u16::from_le_bytes([b[12], b[13]]);
                if flags & INDIRECT != 0 {
                    if !self.ring.indirect {
                        return Err("indirect-not-negotiated");
                    }
                    if in_table {
                        return Err("indirect-nested");
                    }
                    if flags & NEXT != 0 {
                        return Err("indirect-with-next");
                    }
                    if length == 0 || length % 16 != 0 {
                        return Err("indirect-length");
                    }
                    if length / 16 > self.ring.size {
                        return Err("indirect-too-long");
                    }
                    if !self.memory.valid(address, u64::from(length)) {
                        return Err("indirect-outside-memory");
                    }
                    (table, entries, index, in_table) = (address, length / 16, 0, true);
                    continue;
                }
                let writable = flags & WRITE != 0;
                if saw_writable && !writable {
                    return Err("readable-after-writable");
                }
                saw_writable = writable;
                total += u64::from(length);
                if total >= 1 << 32 {
                    return Err("chain-too-large");
                }
                if length > 0 {
                    if address.checked_add(u64::from(length)).is_none() || !self.memory.valid(address, u64::from(length)) {
                        return Err("buffer-outside-memory");
                    }
                    let list = if writable { &mut chain.writable } else { &mut chain.readable };
                    list.push((address, length));
                }
                count += 1;
                if flags & NEXT == 0 {
                    return Ok(chain);
                }
                index = u32::from(u16::from_le_bytes([b[14], b[15]]));
            }
        }

        pub fn complete(&mut self, id: u32, length: u32) -> Result<(), &'static str> {
            let held = self.in_flight.get_mut(id as usize).ok_or("no such head")?;
            match *held {
                Some(bytes) if u64::from(length) <= bytes => *held = None,
                _ => return Err("not in flight, or too long"),
            }
            let at = self.ring.device_area + 4 + 8 * u64::from(u32::from(self.used_idx) % self.ring.size);
            self.memory.write(at, &id.to_le_bytes());
            self.memory.write(at + 4, &length.to_le_bytes());
            self.used_idx = self.used_idx.wrapping_add(1);
            Ok(())
        }

        pub fn publish(&mut self) {
            if self.published != self.used_idx {
                self.published = self.used_idx;
                self.memory.write(self.ring.device_area + 2, &self.published.to_le_bytes());
            }
        }

        /// Must the driver be interrupted for what was published since the last time?
        pub fn wants_notification(&mut self) -> bool {
            let (from, to) = (self.notified, self.published);
            self.notified = to;
            if from == to {
                return false;
            }
            if !self.ring.event_idx {
                return self.memory.read_u16(self.ring.driver_area) & 1 == 0;
            }
            let event = self.memory.read_u16(self.ring.driver_area + 4 + 2 * u64::from(self.ring.size));
            to.wrapping_sub(event).wrapping_sub(1) < to.wrapping_sub(from)
        }

        /// True: more is there already.
        pub fn ask_for_kicks(&mut self, on: bool) -> bool {
            if self.ring.event_idx {
                let event = if on { self.next_avail } else { self.next_avail.wrapping_sub(1) };
                let at = self.ring.device_area + 4 + 8 * u64::from(self.ring.size);
                self.memory.write(at, &event.to_le_bytes());
            } else {
                self.memory.write(self.ring.device_area, &u16::from(!on).to_le_bytes());
            }
            on && !self.broken && self.memory.read_u16(self.ring.driver_area + 2) != self.next_avail
        }

        pub fn reset(&mut self) {
            (self.next_avail, self.seen_avail, self.used_idx, self.published, self.notified) = (0, 0, 0, 0, 0);
            self.broken = false;
            self.in_flight.fill(None);
        }

        /// Every chain that was taken has been used or is in flight, and a head is in flight once.
        pub fn restore(&mut self, next_avail: u16, used_idx: u16, held: &[(u32, u32)]) -> Result<(), &'static str> {
            self.reset();
            for &(head, bytes) in held {
                match self.in_flight.get_mut(head as usize) {
                    Some(slot @ None) => *slot = Some(u64::from(bytes)),
                    _ => {
                        self.reset();
                        return Err("a head is out of range, or there twice");
                    }
                }
            }
            if usize::from(next_avail.wrapping_sub(used_idx)) != held.len() {
                self.reset();
                return Err("the indices are not as far apart as heads are in flight");
            }
            (self.next_avail, self.seen_avail) = (next_avail, next_avail);
            (self.used_idx, self.published, self.notified) = (used_idx, used_idx, used_idx);
            Ok(())
        }
    }
}

use queue::{Fault, Queue, Ring};

fn main() {
    let mut queue: Option<Queue> = None;
    let mut request = String::new();
    loop {
        request.clear();
        if io::stdin().lock().read_line(&mut request).unwrap_or(0) == 0 {
            return;
        }
        let answer = answer(&mut queue, &request);
        println!("= {answer}");
        io::stdout().flush().expect("stdout is the channel");
    }
}

fn answer(slot: &mut Option<Queue>, request: &str) -> String {
    let mut words = request.split_whitespace();
    let what = words.next().unwrap_or("");
    let numbers: Vec<u64> = words.filter_map(|word| word.parse().ok()).collect();
    if what == "create" && numbers.len() == 6 {
        let (event_idx, indirect) = (numbers[4] == 1, numbers[5] == 1);
        let [size, descriptors, driver_area, device_area] = [numbers[0], numbers[1], numbers[2], numbers[3]];
        let ring = Ring { size: size as u32, descriptors, driver_area, device_area, event_idx, indirect };
        return match Queue::new(memory::GuestMemory, ring) {
            Ok(queue) => {
                *slot = Some(queue);
                "ok".into()
            }
            Err(reason) => reason.into(),
        };
    }
    let Some(queue) = slot else { return "create comes first".into() };
    match (what, numbers.as_slice()) {
        ("take", _) => match queue.take() {
            Ok(None) => "none".into(),
            Ok(Some(chain)) => {
                let list = |ranges: &[(u64, u32)]| -> String { ranges.iter().map(|(a, l)| format!(" {a} {l}")).collect() };
                format!("chain {} r{} w{}", chain.head, list(&chain.readable), list(&chain.writable))
            }
            Err(Fault(head, rule)) => format!("fault {head} {rule} 0"),
        },
        ("complete", [id, length]) => said(queue.complete(*id as u32, *length as u32)),
        ("publish", _) => {
            queue.publish();
            "ok".into()
        }
        ("notify", _) => u8::from(queue.wants_notification()).to_string(),
        ("kicks", [on]) => u8::from(queue.ask_for_kicks(*on == 1)).to_string(),
        ("reset", _) => {
            queue.reset();
            "ok".into()
        }
        ("restore", [next, used, held @ ..]) if *next <= 0xffff && *used <= 0xffff => {
            let heads: Vec<(u32, u32)> = held.chunks_exact(2).map(|pair| (pair[0] as u32, pair[1] as u32)).collect();
            said(queue.restore(*next as u16, *used as u16, &heads))
        }
        ("restore", _) => "no queue can be in that state".into(),
        _ => "unknown request".into(),
    }
}

fn said(result: Result<(), &'static str>) -> String {
    result.map_or_else(String::from, |()| "ok".into())
}
