/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crash_message.c - one line to stderr before abort(); see crash_message.h.
 *
 * Not through the log: its buffers wipe themselves with the very memory that is damaged.
 */
#include "base/crash_message.h"

#include "base/clock.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

static atomic_bool as_json, to_journal;

void crash_message_form(bool json, bool journal)
{
    atomic_store(&as_json, json);
    atomic_store(&to_journal, journal);
}

void crash_message(const char *what, const char *why)
{
    struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};
    const char *prefix = atomic_load(&to_journal) ? "<3>" : "";
    char time[CLOCK_RFC3339_SIZE], line[512];
    int n;

    if (atomic_load(&as_json))
        n = snprintf(
            line, sizeof(line),
            "%s{\"time\":\"%s\",\"level\":\"error\",\"event\":\"crash\",\"what\":\"%s\",\"why\":\"%s\"}\n",
            prefix, clock_rfc3339_ms(clock_wall(&clock_system), time), what, why);
    else
        n = snprintf(line, sizeof(line), "%sjumpgate: %s: %s\n", prefix, what, why);
    if (n > 0 && (size_t)n < sizeof(line) && poll(&p, 1, 0) > 0)
        (void)!write(STDERR_FILENO, line, (size_t)n);
}
