/* The testing kit's end of stdin and stdout, and guest memory behind it; docs/testing.md has the protocol. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the channel: guest memory is asked for, line by line */

static char line[1 << 16];

static const char *ask(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
    fflush(stdout);
    if (!fgets(line, sizeof line, stdin)) exit(0);
    line[strcspn(line, "\n")] = 0;
    return line;
}

static void answer(const char *text)
{
    printf("= %s\n", text);
    fflush(stdout);
}

/* ---- guest memory: false when it is not there */

static bool valid(uint64_t address, uint64_t length)
{
    return ask("valid %" PRIu64 " %" PRIu64, address, length)[0] == '1';
}

static bool load(uint64_t address, unsigned bytes, uint8_t *target)
{
    const char *hex = ask("read %" PRIu64 " %u", address, bytes);
    if (hex[0] == '-') return false;
    for (unsigned i = 0; i < bytes; i++) sscanf(hex + 2 * i, "%2hhx", target + i);
    return true;
}

static uint16_t load16(uint64_t address)
{
    uint8_t bytes[2] = { 0, 0 };
    load(address, 2, bytes);
    return (uint16_t)(bytes[0] | bytes[1] << 8);
}

static void store(uint64_t address, unsigned bytes, uint32_t value)
{
    char hex[9] = "";
    for (unsigned i = 0; i < bytes; i++) sprintf(hex + 2 * i, "%02x", value >> (8 * i) & 0xff);
    ask("write %" PRIu64 " %s", address, hex);
}
