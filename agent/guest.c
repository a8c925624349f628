/*
 * A guest on QEMU's ZCU102: the driver of two split virtqueues and a vsock end, without an operating system. It does what
 * src/machine/guest.ts does on the simulated board, in the same order, so that both can be compared count by count; what it sends it
 * makes itself, and it hashes each message where it is sent and where it has arrived.
 *
 * It waits with a hypercall: WFI would not stop while an interrupt is pending. Whoever plays the application and the clock writes into
 * `struct job` what happens next and lets it run; a doorbell is written when the clock says so, since an interrupt may come before it.
 * The MMU is off: every access is aligned (-mstrict-align).
 */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;

#define GICC_IAR (*(volatile u32 *)0xf902000cUL)
#define GICC_EOIR (*(volatile u32 *)0xf9020010UL)
#define GICC_CTLR (*(volatile u32 *)0xf9020000UL)
#define GICC_PMR (*(volatile u32 *)0xf9020004UL)
#define NO_INTERRUPT 1020

enum { COMMAND_START = 1, COMMAND_SEND = 2, COMMAND_INTERRUPT = 3, COMMAND_POLL = 4, COMMAND_DOORBELL = 5 };
enum { KICK_RECEIVE = 1, KICK_TRANSMIT = 2 };
enum { EVENT_SENT = 1, EVENT_DELIVERED = 2 };
enum { FAULT_EXCEPTION = 1, FAULT_NO_INTERRUPT = 2, FAULT_QUEUE = 3, FAULT_EVENTS = 4 };

#define HEADER_BYTES 44
#define PAGE 4096
#define SLOTS 4
#define BUFFERS 4
#define MAX_FLOWS 32
#define MAX_RECEIVE 4096
#define MAX_TRANSMIT 256
#define MAX_EVENTS 1024

/* Shared with the process (src/platform-qemu/job.ts has the same offsets). */
struct buffer { u64 header, payload; };
struct flow {
  u32 index, outgoing, peer_cid, length, credit, has_payload, waiting, seed;
  u64 slots[SLOTS];
  struct buffer buffers[BUFFERS];
};
struct ring_place { u64 descriptors, available, used; u32 size, reserved; };
struct event { u32 kind, flow; u64 digest; };
struct job {
  u32 command, kicks, fault, fault_argument;
  u32 cid, event_idx, lazy, polls;
  u32 flow_count, receive_count, ready, interrupts;
  u32 event_count, queue, reserved[2];
  struct ring_place receive, transmit;
  u64 doorbell;
  u64 fault_address;
  struct flow flows[MAX_FLOWS];
  struct buffer receive_buffers[MAX_RECEIVE];
  struct event events[MAX_EVENTS];
};
#define JOB ((volatile struct job *)0x60000UL)

static void wait(void)
{
  __asm__ volatile("dmb ish\n hvc #0" ::: "memory");
}

static void stop(u32 fault, u32 argument)
{
  JOB->fault = fault;
  JOB->fault_argument = argument;
  for (;;) wait();
}

static void tell(u32 kind, u32 flow, u64 digest)
{
  u32 at = JOB->event_count;
  if (at == MAX_EVENTS) stop(FAULT_EVENTS, kind);
  JOB->events[at].kind = kind;
  JOB->events[at].flow = flow;
  JOB->events[at].digest = digest;
  JOB->event_count = at + 1;
}

#define barrier() __asm__ volatile("dmb ish" ::: "memory")

/* ---- one side of a split ring (virtio 1.4 section 2.7) */

enum { NEXT = 1, WRITE = 2 };
struct descriptor { u64 address; u32 length; u16 flags, next; };
struct ring {
  volatile struct descriptor *descriptors;
  volatile u16 *available; /* flags, idx, ring, used_event */
  volatile u16 *used;      /* flags, idx, elements, avail_event */
  u32 size, free, outstanding;
  u16 first_free, next, published, used_next;
  u32 unsignalled, unpublished;
  int armed, event;
  u16 links[MAX_RECEIVE], slots[MAX_RECEIVE];
};
static struct ring receive_ring, transmit_ring;

static void ring_open(struct ring *ring, volatile struct ring_place *place)
{
  ring->descriptors = (volatile struct descriptor *)place->descriptors;
  ring->available = (volatile u16 *)place->available;
  ring->used = (volatile u16 *)place->used;
  ring->size = ring->free = place->size;
  if (ring->size > MAX_RECEIVE) stop(FAULT_QUEUE, ring->size);
  for (u32 i = 0; i < ring->size; i++) ring->links[i] = i + 1;
  ring->armed = 1;
  ring->event = -1;
}

/* One or two buffers; a length of 0 leaves the second out. Returns the head. */
static int ring_add(struct ring *ring, u64 first, u32 first_length, u64 second, u32 second_length, u16 flags)
{
  u32 count = second_length > 0 ? 2 : 1;
  if (ring->free < count) return -1;
  u16 head = ring->first_free, slot = head, tail = head;
  for (u32 i = 0; i < count; i++) {
    tail = slot;
    slot = ring->links[tail];
    ring->descriptors[tail].address = i == 0 ? first : second;
    ring->descriptors[tail].length = i == 0 ? first_length : second_length;
    ring->descriptors[tail].flags = flags | (i + 1 < count ? NEXT : 0);
    ring->descriptors[tail].next = i + 1 < count ? slot : 0;
  }
  ring->first_free = slot;
  ring->free -= count;
  ring->slots[head] = count;
  ring->outstanding++;
  ring->available[2 + (ring->next & (ring->size - 1))] = head;
  ring->next++;
  ring->unpublished++;
  return head;
}

static void ring_publish(struct ring *ring)
{
  if (ring->unpublished == 0) return;
  ring->unsignalled += ring->unpublished;
  ring->unpublished = 0;
  ring->published = ring->next;
  barrier();
  ring->available[1] = ring->next;
  barrier();
}

static int ring_needs_kick(struct ring *ring)
{
  u32 count = ring->unsignalled;
  if (count == 0) return 0;
  ring->unsignalled = 0;
  barrier();
  if (!JOB->event_idx) return (ring->used[0] & 1) == 0;
  u16 event = ring->used[2 + 4 * ring->size];
  return (u16)(ring->published - event - 1) < (u16)count;
}

static void ring_store_event(struct ring *ring, u16 event)
{
  ring->event = event;
  ring->available[2 + ring->size] = event;
  barrier();
}

static u16 ring_waiting(struct ring *ring)
{
  u16 waiting = ring->used[1] - ring->used_next;
  barrier();
  return waiting;
}

/* True: some have completed already. */
static int ring_enable(struct ring *ring)
{
  ring->armed = 1;
  if (JOB->event_idx) ring_store_event(ring, ring->used_next);
  else ring->available[0] = 0;
  barrier();
  return ring_waiting(ring) > 0;
}

static int ring_delay(struct ring *ring, u32 count)
{
  ring_store_event(ring, ring->used_next + count - 1);
  ring->armed = 0;
  return ring_waiting(ring) >= count;
}

static void ring_disable(struct ring *ring)
{
  ring->armed = 0;
  if (JOB->event_idx) {
    ring->event = (u16)(ring->used_next - 1);
    ring->available[2 + ring->size] = ring->event;
  } else ring->available[0] = 1;
}

/* The head of the next completion, or -1: none. An empty ring is armed anew and looked at again. */
static int ring_pop(struct ring *ring)
{
  if (ring_waiting(ring) == 0) {
    if (!JOB->event_idx || !ring->armed || ring->event == ring->used_next) return -1;
    ring_store_event(ring, ring->used_next);
    if (ring_waiting(ring) == 0) return -1;
  }
  volatile u32 *element = (volatile u32 *)(ring->used + 2) + 2 * (ring->used_next & (ring->size - 1));
  u32 id = element[0];
  if (id >= ring->size || ring->slots[id] == 0) stop(FAULT_QUEUE, id);
  u16 tail = id;
  for (u32 i = 1; i < ring->slots[id]; i++) tail = ring->links[tail];
  ring->links[tail] = ring->first_free;
  ring->first_free = id;
  ring->free += ring->slots[id];
  ring->slots[id] = 0;
  ring->outstanding--;
  ring->used_next++;
  return id;
}

/* ---- vsock headers and connections (section 5.10.6) */

enum { OP_REQUEST = 1, OP_RESPONSE, OP_RST, OP_SHUTDOWN, OP_RW, OP_CREDIT_UPDATE, OP_CREDIT_REQUEST };
enum { LISTENING_PORT = 1024, CALLING_PORT = 49152 };
struct header { u32 src_cid, dst_cid, src_port, dst_port, length, op, buf_alloc, fwd_cnt; };

struct connection {
  u32 exists, established, handshake;
  u32 tx_cnt, peer_fwd_cnt, peer_buf_alloc, rx_cnt, fwd_cnt, announced_fwd_cnt, buf_alloc;
  u32 update_due, request_due, asked;
  u32 local_port, peer_port;
};
struct state {
  struct connection connection;
  u32 free_slots, free_buffers;
  u64 slots[SLOTS];
  struct buffer buffers[BUFFERS];
  u32 pending, received;
  u64 hash;
  u64 random;
};
static struct state states[MAX_FLOWS];
static struct buffer receive_of[MAX_RECEIVE];
struct home { struct buffer buffer; u8 flow, is_slot; };
static struct home home_of[MAX_TRANSMIT];

static void put32(u64 at, u32 value)
{
  volatile u8 *bytes = (volatile u8 *)at;
  for (u32 i = 0; i < 4; i++) bytes[i] = value >> (8 * i);
}

static u32 get32(u64 at)
{
  volatile u8 *bytes = (volatile u8 *)at;
  return bytes[0] | bytes[1] << 8 | bytes[2] << 16 | (u32)bytes[3] << 24;
}

static u32 credit(struct connection *c)
{
  u32 under_way = c->tx_cnt - c->peer_fwd_cnt;
  return under_way >= c->peer_buf_alloc ? 0 : c->peer_buf_alloc - under_way;
}

/* What to send next of a connection that has `queued` bytes: an operation, or 0. */
static u32 next_op(struct connection *c, u32 queued)
{
  if (c->handshake) return c->handshake;
  if (!c->established) return 0;
  if (c->update_due) return OP_CREDIT_UPDATE;
  if (queued > 0 && credit(c) > 0) return OP_RW;
  u32 news = c->fwd_cnt - c->announced_fwd_cnt;
  if (2UL * news >= c->buf_alloc && news >= 1) return OP_CREDIT_UPDATE;
  if (c->request_due || (queued > 0 && credit(c) == 0 && !c->asked)) return OP_CREDIT_REQUEST;
  return 0;
}

static void write_header(u64 at, u32 flow, u32 op, u32 length)
{
  struct connection *c = &states[flow].connection;
  put32(at, JOB->cid);
  put32(at + 4, 0);
  put32(at + 8, JOB->flows[flow].peer_cid);
  put32(at + 12, 0);
  put32(at + 16, c->local_port);
  put32(at + 20, c->peer_port);
  put32(at + 24, length);
  put32(at + 28, 1 | op << 16);
  put32(at + 32, 0);
  put32(at + 36, c->buf_alloc);
  put32(at + 40, c->fwd_cnt);
  c->announced_fwd_cnt = c->fwd_cnt;
  if (op == OP_RW) c->tx_cnt += length;
  else if (op == OP_CREDIT_UPDATE) c->update_due = 0;
  else if (op == OP_CREDIT_REQUEST) c->asked = 1, c->request_due = 0;
  else c->handshake = 0;
}

static void post(u32 flow, struct buffer buffer, u32 payload_bytes, int is_slot)
{
  int together = buffer.payload == buffer.header + HEADER_BYTES;
  int head = together ? ring_add(&transmit_ring, buffer.header, HEADER_BYTES + payload_bytes, 0, 0, 0)
                      : ring_add(&transmit_ring, buffer.header, HEADER_BYTES, buffer.payload, payload_bytes, 0);
  if (head < 0) stop(FAULT_QUEUE, flow);
  home_of[head].buffer = buffer;
  home_of[head].flow = flow;
  home_of[head].is_slot = is_slot;
}

static int send_control(u32 flow)
{
  struct state *s = &states[flow];
  if (s->free_slots == 0 || transmit_ring.free < 1) return 0;
  struct buffer buffer = { s->slots[--s->free_slots], 0 };
  write_header(buffer.header, flow, next_op(&s->connection, 0), 0);
  post(flow, buffer, 0, 1);
  return 1;
}

/* ---- payload: noise of a flow, and the hash of what is there (FNV-1a, 64 bits) */

static u64 hash_byte(u64 hash, u8 byte) { return (hash ^ byte) * 0x100000001b3UL; }
#define HASH_START 0xcbf29ce484222325UL

static u64 make_payload(struct state *s, u64 at, u32 length)
{
  volatile u8 *bytes = (volatile u8 *)at;
  u64 hash = HASH_START;
  for (u32 i = 0; i < length; i++) {
    s->random ^= s->random << 13;
    s->random ^= s->random >> 7;
    s->random ^= s->random << 17;
    bytes[i] = s->random >> 24;
    hash = hash_byte(hash, s->random >> 24);
  }
  return hash;
}

static u64 hash_payload(u64 hash, u64 at, u32 length)
{
  volatile u8 *bytes = (volatile u8 *)at;
  for (u32 i = 0; i < length; i++) hash = hash_byte(hash, bytes[i]);
  return hash;
}

/* ---- receiving */

static void post_receive(struct buffer buffer)
{
  int together = buffer.payload == buffer.header + HEADER_BYTES;
  int head = together ? ring_add(&receive_ring, buffer.header, HEADER_BYTES + PAGE, 0, 0, WRITE)
                      : ring_add(&receive_ring, buffer.header, HEADER_BYTES, buffer.payload, PAGE, WRITE);
  if (head < 0) stop(FAULT_QUEUE, 0xffff);
  receive_of[head] = buffer;
}

static u32 publish_receive(void)
{
  ring_publish(&receive_ring);
  return ring_needs_kick(&receive_ring) ? KICK_RECEIVE : 0;
}

static int flow_at(u32 outgoing, u32 index)
{
  for (u32 i = 0; i < JOB->flow_count; i++)
    if (JOB->flows[i].outgoing == outgoing && JOB->flows[i].index == index) return i;
  return -1;
}

static void take(u32 flow, u64 payload, u32 bytes)
{
  struct state *s = &states[flow];
  u32 length = JOB->flows[flow].length;
  for (u32 done = 0; done < bytes;) {
    u32 part = bytes - done < length - s->received ? bytes - done : length - s->received;
    if (JOB->flows[flow].has_payload) s->hash = hash_payload(s->hash, payload + done, part);
    s->received += part;
    done += part;
    if (s->received < length) return;
    tell(EVENT_DELIVERED, JOB->flows[flow].index, s->hash);
    s->received = 0;
    s->hash = HASH_START;
  }
}

static void take_credit(struct connection *c, u64 header)
{
  c->peer_buf_alloc = get32(header + 36);
  c->peer_fwd_cnt = get32(header + 40);
  if (credit(c) > 0) c->asked = 0;
}

static void receive(int head)
{
  struct buffer buffer = receive_of[head];
  u64 h = buffer.header;
  u32 src_port = get32(h + 16), dst_port = get32(h + 20), length = get32(h + 24), op = get32(h + 28) >> 16;
  u32 called = src_port - LISTENING_PORT;
  int flow = dst_port == CALLING_PORT + called ? flow_at(1, called) : -1;
  if (flow >= 0) {
    struct connection *c = &states[flow].connection;
    take_credit(c, h);
    if (op == OP_RESPONSE) c->established = 1;
    else if (op == OP_CREDIT_REQUEST) c->update_due = 1;
    states[flow].pending = 1;
  } else {
    flow = flow_at(0, dst_port - LISTENING_PORT);
    if (flow >= 0 && get32(h) == JOB->flows[flow].peer_cid) {
      struct connection *c = &states[flow].connection;
      states[flow].pending = 1;
      if (!c->exists) {
        if (op == OP_REQUEST) {
          c->exists = c->established = 1;
          c->handshake = OP_RESPONSE;
          c->buf_alloc = JOB->flows[flow].credit;
          c->local_port = dst_port;
          c->peer_port = src_port;
          take_credit(c, h);
        }
      } else {
        take_credit(c, h);
        if (op == OP_CREDIT_REQUEST) c->update_due = 1;
        if (op == OP_RW && length > 0) {
          c->rx_cnt += length;
          take(flow, buffer.payload, length);
          c->fwd_cnt += length;
        }
      }
    }
  }
  post_receive(buffer);
}

/* ---- sending */

static void reclaim(void)
{
  int head;
  while ((head = ring_pop(&transmit_ring)) >= 0) {
    struct home *home = &home_of[head];
    struct state *s = &states[home->flow];
    if (home->is_slot) s->slots[s->free_slots++] = home->buffer.header;
    else s->buffers[s->free_buffers++] = home->buffer;
  }
}

/* True: it waits for a completion. */
static int transmit_flow(u32 flow)
{
  struct state *s = &states[flow];
  struct connection *c = &s->connection;
  volatile struct flow *f = &JOB->flows[flow];
  for (;;) {
    int due = c->established && f->waiting > 0;
    int sendable = due && credit(c) >= f->length;
    if (due && !sendable) c->request_due = !c->asked;
    if (next_op(c, 0)) {
      if (!send_control(flow)) return 1;
      continue;
    }
    if (!sendable) return 0;
    if (s->free_buffers == 0 || transmit_ring.free < 2) return 1;
    f->waiting--;
    struct buffer buffer = s->buffers[--s->free_buffers];
    u64 hash = HASH_START;
    if (f->has_payload) hash = make_payload(s, buffer.payload, f->length);
    write_header(buffer.header, flow, OP_RW, f->length);
    tell(EVENT_SENT, f->index, hash);
    post(flow, buffer, f->length, 0);
  }
}

/* Flows are in the order of their numbers: first those that it sends, then those that it answers. */
static int transmit_all(void)
{
  int waiting = 0;
  for (u32 i = 0; i < JOB->flow_count; i++) {
    if (!JOB->flows[i].outgoing || !states[i].pending) continue;
    if (transmit_flow(i)) waiting = 1;
    else states[i].pending = 0;
  }
  for (u32 i = 0; i < JOB->flow_count; i++) {
    struct connection *c = &states[i].connection;
    if (JOB->flows[i].outgoing || !states[i].pending) continue;
    int blocked = 0;
    while (!blocked && c->exists && next_op(c, 0)) blocked = !send_control(i);
    if (blocked) waiting = 1;
    else states[i].pending = 0;
  }
  return waiting;
}

/* True: some have come already, look again. */
static int arm_reclaim(int waiting)
{
  struct ring *ring = &transmit_ring;
  if (!JOB->lazy || waiting) return ring_enable(ring);
  u32 most = ring->outstanding > ring->size / 2 ? ring->outstanding : ring->size / 2;
  u32 low = 3 * most / 4 > 1 ? 3 * most / 4 : 1;
  if (JOB->event_idx) return ring_delay(ring, low);
  if (ring->outstanding >= low) return ring_enable(ring);
  ring_disable(ring);
  return 0;
}

static u32 finish(u32 kicks)
{
  int waiting;
  do {
    reclaim();
    waiting = transmit_all();
  } while (arm_reclaim(waiting));
  ring_publish(&transmit_ring);
  return kicks | (ring_needs_kick(&transmit_ring) ? KICK_TRANSMIT : 0);
}

/* ---- what happens */

static volatile u32 came;

void guest_interrupt(void)
{
  u32 id = GICC_IAR & 0x3ff;
  if (id >= NO_INTERRUPT) return;
  came++;
  JOB->interrupts++;
  GICC_EOIR = id;
}

void guest_fault(u64 syndrome, u64 address)
{
  JOB->fault_address = address;
  stop(FAULT_EXCEPTION, syndrome);
}

static u32 handle_arrivals(void)
{
  do {
    int head;
    while ((head = ring_pop(&receive_ring)) >= 0) receive(head);
  } while (!JOB->polls && ring_enable(&receive_ring));
  if (JOB->polls) ring_disable(&receive_ring);
  return finish(publish_receive());
}

static u32 start(void)
{
  GICC_PMR = 0xff;
  GICC_CTLR = 1;
  ring_open(&receive_ring, &JOB->receive);
  ring_open(&transmit_ring, &JOB->transmit);
  for (u32 i = 0; i < JOB->flow_count; i++) {
    struct state *s = &states[i];
    volatile struct flow *f = &JOB->flows[i];
    for (u32 j = 0; j < SLOTS; j++) s->slots[s->free_slots++] = f->slots[j];
    s->hash = HASH_START;
    s->random = f->seed;
    if (!f->outgoing) continue;
    for (u32 j = 0; j < BUFFERS; j++) {
      s->buffers[j].header = f->buffers[j].header;
      s->buffers[j].payload = f->buffers[j].payload;
      s->free_buffers++;
    }
    s->connection.exists = 1;
    s->connection.handshake = OP_REQUEST;
    s->connection.buf_alloc = PAGE;
    s->connection.local_port = CALLING_PORT + f->index;
    s->connection.peer_port = LISTENING_PORT + f->index;
    s->pending = 1;
  }
  for (u32 i = 0; i < JOB->receive_count; i++) {
    struct buffer buffer = { JOB->receive_buffers[i].header, JOB->receive_buffers[i].payload };
    post_receive(buffer);
  }
  return finish(publish_receive());
}

static u32 take_interrupt(void)
{
  came = 0;
  __asm__ volatile("msr daifclr, #2\n isb\n msr daifset, #2" ::: "memory");
  if (came == 0) stop(FAULT_NO_INTERRUPT, 0);
  return handle_arrivals();
}

static u32 send(void)
{
  for (u32 i = 0; i < JOB->flow_count; i++)
    if (JOB->flows[i].waiting > 0) states[i].pending = 1;
  return finish(0);
}

static u32 carry_out(u32 command)
{
  if (command == COMMAND_START) return start();
  if (command == COMMAND_SEND) return send();
  if (command == COMMAND_INTERRUPT) return take_interrupt();
  return handle_arrivals();
}

void guest_main(void)
{
  for (;;) {
    u32 command = JOB->command;
    if (command == COMMAND_DOORBELL) {
      *(volatile u32 *)JOB->doorbell = JOB->queue;
      wait();
      continue;
    }
    u32 kicks = carry_out(command);
    u32 ready = 1;
    for (u32 i = 0; i < JOB->flow_count; i++)
      if (JOB->flows[i].outgoing && !states[i].connection.established) ready = 0;
    JOB->ready = ready;
    JOB->kicks = kicks;
    wait();
  }
}
