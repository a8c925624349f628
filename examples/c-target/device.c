/*
 * The device side of a split virtqueue in C, attached to the testing kit over stdin and stdout:
 *
 *     cc -O2 -Wall -o device device.c
 *     npx virtio-sdk museum --target "exec:./device"
 *     npx virtio-sdk fuzz --target "exec:./device" --time 30s
 *
 * Everything below the include is what a queue of yours would be; put yours there.
 */
#include "kit.h"

#define MAX_SIZE 32768
enum { NEXT = 1, WRITE = 2, INDIRECT = 4 };

/* ---- the queue */

struct descriptor {
    uint64_t address;
    uint32_t length;
    uint16_t flags, next;
};

static uint64_t descriptors, driver_area, device_area;
static unsigned size;
static bool event_idx, indirect, broken;
static uint16_t next_avail, seen_avail, used_idx, published_idx, notified_idx;
/* Writable bytes of each head that is in flight, -1 for the others. */
static int64_t in_flight[MAX_SIZE];

static void reset(void)
{
    next_avail = seen_avail = used_idx = published_idx = notified_idx = 0;
    broken = false;
    for (unsigned i = 0; i < MAX_SIZE; i++) in_flight[i] = -1;
}

/*
 * The state of a device that went away: "NEXT_AVAILABLE USED_INDEX", and "ID WRITABLE_BYTES" for each head that it held. False,
 * and as new, for what cannot be: every chain that was taken has been used or is in flight, a head is in flight once.
 */
static bool restore(char *state)
{
    unsigned long next = strtoul(state, &state, 10), used = strtoul(state, &state, 10), held = 0;
    bool possible = next <= UINT16_MAX && used <= UINT16_MAX;
    reset();
    while (possible && *state == ' ') {
        unsigned long id = strtoul(state, &state, 10);
        int64_t bytes = strtoll(state, &state, 10);
        possible = id < size && in_flight[id] < 0 && bytes >= 0;
        if (possible) in_flight[id] = bytes, held++;
    }
    if (!possible || (uint16_t)(next - used) != held) { reset(); return false; }
    next_avail = seen_avail = (uint16_t)next;
    used_idx = published_idx = notified_idx = (uint16_t)used;
    return true;
}

/* One look at a descriptor, all of it. */
static bool fetch(uint64_t table, unsigned index, struct descriptor *d)
{
    uint8_t b[16];
    if (!load(table + 16 * (uint64_t)index, 16, b)) return false;
    d->address = d->length = 0;
    for (int i = 7; i >= 0; i--) d->address = d->address << 8 | b[i];
    for (int i = 11; i >= 8; i--) d->length = d->length << 8 | b[i];
    d->flags = (uint16_t)(b[12] | b[13] << 8);
    d->next = (uint16_t)(b[14] | b[15] << 8);
    return true;
}

static void fault(int head, const char *rule)
{
    char text[128];
    broken = true;
    snprintf(text, sizeof text, "fault %d %s 0", head, rule);
    answer(text);
}

/* Follows a chain: at most `size` buffers, so a loop ends (VQS-IND-DRV-03). */
static const char *walk(unsigned head, char *readable, char *writable, int64_t *writable_bytes)
{
    uint64_t table = descriptors, total = 0;
    unsigned entries = size, index = head, count = 0;
    bool in_table = false, saw_writable = false;
    *writable_bytes = 0;
    for (;;) {
        struct descriptor d;
        if (index >= entries) return in_table ? "indirect-next-out-of-range" : "next-out-of-range";
        if (count == size) return "chain-too-long";
        if (!fetch(table, index, &d)) return "indirect-outside-memory";
        if (d.flags & INDIRECT) {
            if (!indirect) return "indirect-not-negotiated";
            if (in_table) return "indirect-nested";
            if (d.flags & NEXT) return "indirect-with-next";
            if (d.length == 0 || d.length % 16 != 0) return "indirect-length";
            if (d.length / 16 > size) return "indirect-too-long";
            if (!valid(d.address, d.length)) return "indirect-outside-memory";
            table = d.address, entries = d.length / 16, in_table = true, index = 0;
            continue;
        }
        if (!(d.flags & WRITE) && saw_writable) return "readable-after-writable";
        saw_writable |= (d.flags & WRITE) != 0;
        total += d.length;
        if (total >= UINT64_C(1) << 32) return "chain-too-large";
        if (d.length > 0) {
            char *list = d.flags & WRITE ? writable : readable;
            if (d.address > UINT64_MAX - d.length || !valid(d.address, d.length)) return "buffer-outside-memory";
            sprintf(list + strlen(list), " %" PRIu64 " %" PRIu32, d.address, d.length);
            if (d.flags & WRITE) *writable_bytes += d.length;
        }
        count++;
        if (!(d.flags & NEXT)) return NULL;
        index = d.next;
    }
}

static void take(void)
{
    static char readable[1 << 20], writable[1 << 20], text[1 << 21];
    if (broken) { answer("none"); return; }
    uint16_t known = seen_avail - next_avail, idx = load16(driver_area + 2), waiting = idx - next_avail;
    if (waiting > size || waiting < known) { fault(-1, "available-index-jump"); return; }
    seen_avail = idx;
    if (waiting == 0) { answer("none"); return; }
    unsigned head = load16(driver_area + 4 + 2 * (next_avail % size));
    if (head >= size) { fault(-1, "head-out-of-range"); return; }
    if (in_flight[head] >= 0) { fault(-1, "head-in-flight"); return; }
    int64_t bytes;
    readable[0] = writable[0] = 0;
    const char *rule = walk(head, readable, writable, &bytes);
    if (rule) { fault((int)head, rule); return; }
    in_flight[head] = bytes;
    next_avail++;
    snprintf(text, sizeof text, "chain %u r%s w%s", head, readable, writable);
    answer(text);
}

static void complete(uint32_t id, uint32_t length)
{
    if (id >= size || in_flight[id] < 0 || length > in_flight[id]) { answer("not in flight, or too long"); return; }
    in_flight[id] = -1;
    uint64_t at = device_area + 4 + 8 * (uint64_t)(used_idx % size);
    store(at, 4, id);
    store(at + 4, 4, length);
    used_idx++;
    answer("ok");
}

/* Must the driver be interrupted for what was published since the last time? */
static bool notify(void)
{
    uint16_t from = notified_idx, to = published_idx;
    notified_idx = to;
    if (from == to) return false;
    if (!event_idx) return !(load16(driver_area) & 1);
    uint16_t event = load16(driver_area + 4 + 2 * size);
    return (uint16_t)(to - event - 1) < (uint16_t)(to - from);
}

static bool kicks(bool on)
{
    if (!event_idx) store(device_area, 2, on ? 0 : 1);
    else store(device_area + 4 + 8 * (uint64_t)size, 2, (uint16_t)(on ? next_avail : next_avail - 1));
    return on && !broken && load16(driver_area + 2) != next_avail;
}

int main(void)
{
    static char request[1 << 20];
    while (fgets(request, sizeof request, stdin)) {
        unsigned a, b, c;
        if (sscanf(request, "create %u %" SCNu64 " %" SCNu64 " %" SCNu64 " %u %u", &a, &descriptors, &driver_area, &device_area, &b, &c) == 6) {
            size = a, event_idx = b, indirect = c;
            reset();
            bool there = size > 0 && size <= MAX_SIZE && valid(descriptors, 16 * (uint64_t)size)
                && valid(driver_area, 6 + 2 * (uint64_t)size) && valid(device_area, 6 + 8 * (uint64_t)size);
            answer(there ? "ok" : "the ring is not in memory");
        } else if (!strncmp(request, "take", 4)) take();
        else if (sscanf(request, "complete %u %u", &a, &b) == 2) complete(a, b);
        else if (!strncmp(request, "publish", 7)) {
            if (published_idx != used_idx) store(device_area + 2, 2, published_idx = used_idx);
            answer("ok");
        } else if (!strncmp(request, "notify", 6)) answer(notify() ? "1" : "0");
        else if (sscanf(request, "kicks %u", &a) == 1) answer(kicks(a) ? "1" : "0");
        else if (!strncmp(request, "restore ", 8)) answer(restore(request + 8) ? "ok" : "no queue can be in that state");
        else if (!strncmp(request, "reset", 5)) { reset(); answer("ok"); }
        else answer("unknown request");
    }
}
