/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report.c - the output of the load tool: JSON lines on standard output.
 *
 *     {"event":"measuring"}   {"row":{...}}   {"event":"over"}   {result}
 *
 * The events let the program that started the tool read other counters at the same moments. The result comes
 * last.
 */
#include "base/clock.h"
#include "base/jsonw.h"
#include "load/load.h"

#include <stdio.h>
#include <string.h>

const char *const load_step_names[STEP_NSTEPS] = {
    [STEP_FIND] = "find",         [STEP_SEARCH] = "search",   [STEP_GET] = "get",
    [STEP_CHECKOUT] = "checkout", [STEP_RELEASE] = "release",
};

static void print(struct buf *line)
{
    (void)buf_char(line, '\n');
    (void)fwrite(line->data, 1, line->len, stdout);
    (void)fflush(stdout);
    buf_free(line);
}

static void put_steps(struct jsonw *w, const struct histogram *latency, double seconds)
{
    for (size_t i = 0; i < STEP_NSTEPS; i++) {
        const struct histogram *h = &latency[i];
        if (!h->total)
            continue;
        jsonw_object(w, load_step_names[i]);
        jsonw_int(w, "count", (int64_t)h->total);
        jsonw_double(w, "per_second", (double)h->total / seconds);
        jsonw_double(w, "p50_ms", (double)histogram_percentile(h, 50) / 1000);
        jsonw_double(w, "p99_ms", (double)histogram_percentile(h, 99) / 1000);
        jsonw_double(w, "p99_9_ms", (double)histogram_percentile(h, 99.9) / 1000);
        jsonw_double(w, "max_ms", (double)h->max / 1000);
        jsonw_end(w);
    }
}

void report_event(const char *name)
{
    struct buf out = BUF_INIT(256);
    struct jsonw w = jsonw_start(&out);

    jsonw_object(&w, NULL);
    jsonw_str(&w, "event", name);
    jsonw_end(&w);
    print(&out);
}

void report_since(struct load *l)
{
    struct buf out = BUF_INIT(8192);
    struct jsonw w = jsonw_start(&out);
    uint64_t now = clock_measure_us();
    double seconds = (double)(now - l->row.from_us) / 1e6;

    jsonw_object(&w, NULL);
    jsonw_object(&w, "row");
    jsonw_double(&w, "seconds", seconds);
    put_steps(&w, l->row.latency, seconds);
    jsonw_int(&w, "connections", (int64_t)l->connections);
    jsonw_int(&w, "refused", (int64_t)(l->refused - l->row.refused));
    jsonw_int(&w, "errors", (int64_t)(l->errors - l->row.errors));
    jsonw_end(&w);
    jsonw_end(&w);
    print(&out);
    l->row = (struct load_row){.from_us = now, .refused = l->refused, .errors = l->errors};
}

/* Turns that should have begun by the end and found no free client. */
static int64_t late_turns(const struct load *l)
{
    double meant = (double)(l->until_us - l->first_turn_us) / 1e6 * l->rate;

    return meant > (double)l->turns ? (int64_t)(meant - (double)l->turns) : 0;
}

void report_result(const struct load *l)
{
    struct buf out = BUF_INIT(8192);
    struct jsonw w = jsonw_start(&out);
    double seconds = (double)(l->until_us - l->from_us) / 1e6;

    jsonw_object(&w, NULL);
    jsonw_int(&w, "clients", l->clients);
    jsonw_double(&w, "seconds", seconds);
    jsonw_int(&w, "most_in_flight", l->most_in_flight);
    put_steps(&w, l->latency, seconds);
    if (l->rate > 0) {
        jsonw_double(&w, "rate", l->rate);
        jsonw_int(&w, "late_turns", late_turns(l));
    }
    jsonw_int(&w, "connections", (int64_t)l->connections);
    jsonw_int(&w, "resumed", (int64_t)l->resumed);
    jsonw_int(&w, "verified", (int64_t)l->verified);
    jsonw_int(&w, "refused", (int64_t)l->refused);
    jsonw_int(&w, "errors", (int64_t)l->errors);
    if (l->errors)
        jsonw_str(&w, "first_error", l->first_error);
    jsonw_end(&w);
    print(&out);
}
