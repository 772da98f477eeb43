/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stranger_lines.c - a limit for the log lines that strangers cause.
 *
 * Each peer has a bucket of `failed_login_rate` lines, and all together have one of 16 times as many
 * (auth_failures.h). Lines over either are left out and counted: in a metric, and in one log line a few
 * seconds after the first one left out. Lines about a client's requests and connections are not limited.
 *
 * Life: stranger_lines_init() -> stranger_lines_permit(), stranger_lines_leave_out() -> stranger_lines_end(),
 * which writes the last count.
 */
#include "base/container_of.h"
#include "base/log.h"
#include "base/text.h"
#include "handlers/gateway.h"

#include <inttypes.h>

#define COUNT_MS 5000

static void write_count(struct stranger_lines *lines)
{
    if (lines->left_out)
        log_info("lines_left_out", "lines=%" PRIu64 " last_peer=%s hint=%s", lines->left_out, lines->peer,
                 "peers without a known client were over failed_login_rate");
    lines->left_out = 0;
}

static void on_count(struct deadline *d)
{
    write_count(CONTAINER_OF(d, struct stranger_lines, count));
}

void stranger_lines_init(struct stranger_lines *lines, struct timers *timers)
{
    *lines = (struct stranger_lines){.timers = timers};
}

void stranger_lines_end(struct stranger_lines *lines)
{
    timer_stop(lines->timers, &lines->count);
    write_count(lines);
}

void stranger_lines_leave_out(struct stranger_lines *lines, const char *origin)
{
    lines->left_out++;
    lines->total++;
    (void)text_copy(lines->peer, sizeof(lines->peer), origin);
    if (!timer_running(&lines->count) && timer_start(lines->timers, &lines->count, COUNT_MS, on_count))
        return; /* without memory the count is written with the next one, or at the end */
}

bool stranger_lines_permit(struct gateway *gw, const struct http_peer *peer)
{
    if (auth_failures_line(gw->auth_failures, peer->origin, gw->conf->gateway.failed_logins_per_s))
        return true;
    stranger_lines_leave_out(&gw->stranger_lines, peer->origin);
    return false;
}
