/*
 * vsock: standard input and output over a vsock connection, for a guest that has nothing but busybox. Needs neither a C library nor
 * headers: gcc -m32 -nostdlib -static.
 *
 *   vsock listen PORT        takes one connection
 *   vsock connect CID PORT   makes one; tries again for ten seconds while it is refused
 *
 * Sends standard input, then shuts its direction down; writes to standard output what arrives until the other side has shut down too.
 */
typedef unsigned int u32;

enum { SYS_EXIT = 1, SYS_READ = 3, SYS_WRITE = 4, SYS_NANOSLEEP = 162, SYS_POLL = 168, SYS_CLOSE = 6 };
enum { SYS_SOCKET = 359, SYS_BIND = 361, SYS_CONNECT = 362, SYS_LISTEN = 363, SYS_ACCEPT4 = 364, SYS_SHUTDOWN = 373 };
enum { AF_VSOCK = 40, SOCK_STREAM = 1, SHUT_WR = 1, POLLIN = 1, POLLHUP = 16, EINTR = 4, CID_ANY = -1 };

struct address {
  unsigned short family, reserved;
  u32 port, cid;
  unsigned char zero[4];
};
struct pollfd {
  int fd;
  short events, revents;
};

static char buffer[65536];

static int call(int number, int a, int b, int c, int d)
{
  int result;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d) : "memory");
  return result;
}

static u32 length(const char *text)
{
  u32 count = 0;
  while (text[count]) count++;
  return count;
}

static void say(const char *text) { call(SYS_WRITE, 2, (int)text, length(text), 0); }

static int fail(const char *what, int error)
{
  char digits[12];
  int at = 11;
  digits[at] = 0;
  for (int left = -error; left > 0 || at == 11; left /= 10) digits[--at] = '0' + left % 10;
  say("vsock: ");
  say(what);
  say(" failed, errno ");
  say(digits + at);
  say("\n");
  return 1;
}

static u32 number(const char *text)
{
  u32 value = 0;
  while (*text >= '0' && *text <= '9') value = value * 10 + (u32)(*text++ - '0');
  return value;
}

static int same(const char *a, const char *b)
{
  while (*a && *a == *b) a++, b++;
  return *a == *b;
}

/* Writes all of it, or returns the error. */
static int put(int to, int count)
{
  for (int done = 0; done < count;) {
    int wrote = call(SYS_WRITE, to, (int)(buffer + done), count - done, 0);
    if (wrote < 0 && wrote != -EINTR) return wrote;
    if (wrote > 0) done += wrote;
  }
  return 0;
}

static int exchange(int socket)
{
  struct pollfd polled[2] = {{socket, POLLIN, 0}, {0, POLLIN, 0}};
  for (;;) {
    int ready = call(SYS_POLL, (int)polled, 2, -1, 0);
    if (ready < 0 && ready != -EINTR) return fail("poll", ready);
    if (polled[1].revents) {
      int count = call(SYS_READ, 0, (int)buffer, sizeof buffer, 0);
      if (count > 0) {
        int error = put(socket, count);
        if (error) return fail("send", error);
      } else {
        call(SYS_SHUTDOWN, socket, SHUT_WR, 0, 0);
        polled[1].fd = -1;
        polled[1].revents = 0;
      }
    }
    if (polled[0].revents) {
      int count = call(SYS_READ, socket, (int)buffer, sizeof buffer, 0);
      if (count < 0) return fail("receive", count);
      if (count == 0 && polled[1].fd < 0) return 0;
      if (count == 0) polled[0].fd = -1; /* only our direction is left */
      int error = put(1, count);
      if (error) return fail("write", error);
    }
    if (polled[0].fd < 0 && polled[1].fd < 0) return 0;
  }
}

static int run(int count, char **words)
{
  int is_listen = count == 3 && same(words[1], "listen");
  if (!is_listen && !(count == 4 && same(words[1], "connect"))) {
    say("vsock listen PORT, or vsock connect CID PORT\n");
    return 2;
  }
  struct address address = {AF_VSOCK, 0, number(words[count - 1]), is_listen ? (u32)CID_ANY : number(words[2]), {0}};
  if (is_listen) {
    int listening = call(SYS_SOCKET, AF_VSOCK, SOCK_STREAM, 0, 0);
    if (listening < 0) return fail("socket", listening);
    int error = call(SYS_BIND, listening, (int)&address, sizeof address, 0);
    if (error) return fail("bind", error);
    error = call(SYS_LISTEN, listening, 1, 0, 0);
    if (error) return fail("listen", error);
    int socket = call(SYS_ACCEPT4, listening, 0, 0, 0);
    if (socket < 0) return fail("accept", socket);
    call(SYS_CLOSE, listening, 0, 0, 0);
    return exchange(socket);
  }
  for (int attempt = 0;; attempt++) {
    int socket = call(SYS_SOCKET, AF_VSOCK, SOCK_STREAM, 0, 0);
    if (socket < 0) return fail("socket", socket);
    int error = call(SYS_CONNECT, socket, (int)&address, sizeof address, 0);
    if (error == 0) return exchange(socket);
    call(SYS_CLOSE, socket, 0, 0, 0);
    if (attempt == 100) return fail("connect", error);
    int tenth_second[2] = {0, 100000000};
    call(SYS_NANOSLEEP, (int)tenth_second, 0, 0, 0);
  }
}

__attribute__((used)) static void start(int *stack)
{
  call(SYS_EXIT, run(stack[0], (char **)(stack + 1)), 0, 0, 0);
  for (;;) {
  }
}

__asm__(".globl _start\n_start:\n  xor %ebp, %ebp\n  mov %esp, %eax\n  and $-16, %esp\n  sub $12, %esp\n  push %eax\n  call start\n");
