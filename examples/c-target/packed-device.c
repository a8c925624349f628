/*
 * The device side of a packed virtqueue in C, attached to the testing kit over stdin and stdout:
 *
 *     cc -O2 -Wall -o packed-device packed-device.c
 *     npx virtio-sdk museum --target "exec-packed:./packed-device"
 *     npx virtio-sdk fuzz --target "exec-packed:./packed-device" --time 30s
 *
 * Everything below the include is what a queue of yours would be; put yours there.
 */
#include "kit.h"

#define MAX_SIZE 32768
enum { NEXT = 1, WRITE = 2, INDIRECT = 4, AVAIL = 1 << 7, USED = 1 << 15 };
enum { EVENTS_ALWAYS, EVENTS_NEVER, EVENTS_AT_SLOT };

struct descriptor {
    uint64_t address;
    uint32_t length;
    uint16_t id, flags;
};

/* A slot, and the wrap counter there. */
struct position {
    unsigned slot, wrap;
};

static uint64_t descriptors, driver_area, device_area;
static unsigned size;
static bool event_idx, indirect, broken;
static struct position next_available, next_used, published;
/* Slots of all that was taken and is not shown as used; of it, completed; shown since the driver was told last. */
static unsigned held, staged, untold;
/* Flags of the first descriptor that was completed: written last, they show all of them. */
static uint64_t first_flags_at;
static uint16_t first_flags;
/* Of each buffer id: writable bytes while it is in flight, or one of these; and the slots of its list. */
enum { FREE = -1, COMPLETED = -2 };
static int64_t in_flight[65536];
static uint16_t slots_of[65536], completed[MAX_SIZE];
static unsigned completed_count;

static void reset(void)
{
    next_available = next_used = published = (struct position){ 0, 1 };
    held = staged = untold = completed_count = 0;
    broken = false;
    for (unsigned id = 0; id < 65536; id++) in_flight[id] = FREE;
}

static struct position advance(struct position at, unsigned slots)
{
    at.slot += slots;
    if (at.slot >= size) at.slot -= size, at.wrap ^= 1;
    return at;
}

static bool is_available(uint16_t flags, struct position at)
{
    return ((flags & AVAIL) != 0) == at.wrap && ((flags & USED) != 0) != at.wrap;
}

static uint16_t flags_at(struct position at)
{
    return load16(descriptors + 16 * (uint64_t)at.slot + 14);
}

/* All but the flags, which were read before. */
static bool fetch(uint64_t at, struct descriptor *d)
{
    uint8_t b[14];
    if (!load(at, 14, b)) return false;
    d->address = d->length = 0;
    for (int i = 7; i >= 0; i--) d->address = d->address << 8 | b[i];
    for (int i = 11; i >= 8; i--) d->length = d->length << 8 | b[i];
    d->id = (uint16_t)(b[12] | b[13] << 8);
    return true;
}

static void fault(int id, const char *rule)
{
    char text[128];
    broken = true;
    snprintf(text, sizeof text, "fault %d %s 0", id, rule);
    answer(text);
}

static char readable[1 << 20], writable[1 << 20], text[1 << 21];
static uint64_t total;
static int64_t writable_bytes;
static bool saw_writable;

static const char *add_buffer(const struct descriptor *d)
{
    char *list = d->flags & WRITE ? writable : readable;
    if (!(d->flags & WRITE) && saw_writable) return "readable-after-writable";
    saw_writable |= (d->flags & WRITE) != 0;
    total += d->length;
    if (total >= UINT64_C(1) << 32) return "too-many-bytes";
    if (d->length == 0) return NULL;
    if (d->address > UINT64_MAX - d->length || !valid(d->address, d->length)) return "buffer-outside-memory";
    sprintf(list + strlen(list), " %" PRIu64 " %" PRIu32, d->address, d->length);
    if (d->flags & WRITE) writable_bytes += d->length;
    return NULL;
}

/* Entries follow one another, and only WRITE counts in them (IMP-VQP-09, IMP-VQP-10). */
static const char *read_table(const struct descriptor *table)
{
    if (!indirect) return "indirect-not-negotiated";
    if (table->length == 0 || table->length % 16 != 0) return "indirect-length";
    if (!valid(table->address, table->length)) return "indirect-outside-memory";
    if (table->length / 16 > size) return "table-longer-than-the-queue";
    for (uint32_t offset = 0; offset < table->length; offset += 16) {
        struct descriptor d = { .flags = load16(table->address + offset + 14) & WRITE };
        if (!fetch(table->address + offset, &d)) return "indirect-outside-memory";
        const char *rule = add_buffer(&d);
        if (rule) return rule;
    }
    return NULL;
}

static void take(void)
{
    static struct descriptor list[MAX_SIZE];
    struct position at = next_available;
    unsigned count = 0;
    bool tables = false;
    if (broken || !is_available(flags_at(at), at)) { answer("none"); return; }
    do {
        if (count == size) { fault(-1, "chain-too-long"); return; }
        if (count == size - held) { fault(-1, "slot-in-flight"); return; }
        struct descriptor *d = &list[count];
        d->flags = flags_at(at);
        if (!is_available(d->flags, at)) { fault(-1, "list-not-available"); return; }
        fetch(descriptors + 16 * (uint64_t)at.slot, d);
        tables |= (d->flags & INDIRECT) != 0;
        at = advance(at, 1);
    } while (list[count++].flags & NEXT);

    unsigned id = list[count - 1].id;
    const char *rule = NULL;
    if (in_flight[id] != FREE) { fault(-1, "id-in-flight"); return; }
    readable[0] = writable[0] = 0;
    total = writable_bytes = saw_writable = 0;
    if (tables) rule = count > 1 ? "indirect-in-list" : read_table(&list[0]);
    else for (unsigned i = 0; i < count && !rule; i++) rule = add_buffer(&list[i]);
    if (rule) { fault((int)id, rule); return; }
    in_flight[id] = writable_bytes;
    slots_of[id] = count;
    held += count;
    next_available = at;
    snprintf(text, sizeof text, "chain %u r%s w%s", id, readable, writable);
    answer(text);
}

/* Written where the driver looks next, whatever slots the list had; the first one's flags wait for `publish`. */
static void complete(uint32_t id, uint32_t length)
{
    if (id > 65535 || in_flight[id] < 0 || length > in_flight[id]) { answer("not in flight, or too long"); return; }
    uint64_t at = descriptors + 16 * (uint64_t)next_used.slot;
    uint16_t flags = (length > 0 ? WRITE : 0) | (next_used.wrap ? AVAIL | USED : 0);
    if (length > 0) store(at + 8, 4, length); /* without WRITE it means nothing (IMP-VQP-08) */
    store(at + 12, 2, id);
    if (completed_count == 0) first_flags_at = at + 14, first_flags = flags;
    else store(at + 14, 2, flags);
    in_flight[id] = COMPLETED;
    completed[completed_count++] = id;
    staged += slots_of[id];
    next_used = advance(next_used, slots_of[id]);
    answer("ok");
}

static void publish(void)
{
    if (completed_count > 0) store(first_flags_at, 2, first_flags);
    while (completed_count > 0) in_flight[completed[--completed_count]] = FREE;
    published = next_used;
    held -= staged;
    untold += staged;
    staged = 0;
    answer("ok");
}

/* Must the driver be interrupted for what was published since the last time? */
static bool notify(void)
{
    uint16_t at = load16(driver_area), flags = load16(driver_area + 2) & 3;
    int event = at & 0x7fff;
    unsigned passed = untold;
    untold = 0;
    if (passed == 0 || flags == EVENTS_NEVER) return false;
    if (flags != EVENTS_AT_SLOT || !event_idx) return true;
    if ((unsigned)event >= size) return false;
    if (at >> 15 != (int)published.wrap) event -= (int)size;
    return (uint16_t)(published.slot - event - 1) < (uint16_t)passed;
}

static bool kicks(bool on)
{
    store(device_area, 2, next_available.slot | next_available.wrap << 15);
    store(device_area + 2, 2, !on ? EVENTS_NEVER : event_idx ? EVENTS_AT_SLOT : EVENTS_ALWAYS);
    return on && !broken && is_available(flags_at(next_available), next_available);
}

int main(void)
{
    char request[256];
    while (fgets(request, sizeof request, stdin)) {
        unsigned a, b, c, in_order;
        if (sscanf(request, "create-packed %u %" SCNu64 " %" SCNu64 " %" SCNu64 " %u %u %u", &a, &descriptors, &driver_area, &device_area, &b, &c, &in_order) == 7) {
            /* IN_ORDER allows batches, and asks for none: who completes decides the order. */
            size = a, event_idx = b, indirect = c;
            reset();
            bool there = size > 0 && size <= MAX_SIZE && descriptors % 16 == 0 && driver_area % 4 == 0 && device_area % 4 == 0
                && valid(descriptors, 16 * (uint64_t)size) && valid(driver_area, 4) && valid(device_area, 4);
            answer(there ? "ok" : "the ring is not in memory, or not aligned");
        } else if (!strncmp(request, "take", 4)) take();
        else if (sscanf(request, "complete %u %u", &a, &b) == 2) complete(a, b);
        else if (!strncmp(request, "publish", 7)) publish();
        else if (!strncmp(request, "notify", 6)) answer(notify() ? "1" : "0");
        else if (sscanf(request, "kicks %u", &a) == 1) answer(kicks(a) ? "1" : "0");
        else if (!strncmp(request, "reset", 5)) { reset(); answer("ok"); }
        else answer("unknown request");
    }
}
