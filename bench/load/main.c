/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.c - jumpgate-load: N clients against a running gateway, one JSON line as result.
 *
 * Clients connect a few at a time, warm up, are measured for a while, release what they hold, and end. In a
 * closed loop (the default) latencies are good for comparing, not a promise to a user; with --rate they count
 * from when a turn was meant to begin. With --count the run ends when that many turns have been made.
 */
#include "base/clock.h"
#include "base/json.h"
#include "base/jsonw.h"
#include "base/text.h"
#include "load/client.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: jumpgate-load --address HOST:PORT --token-file FILE [options]\n"
    "  --clients N        connections, each one request at a time (16)\n"
    "  --seconds N        length of the measurement (5)\n"
    "  --warmup N         seconds before it (1)\n"
    "  --users N          different users (100)\n"
    "  --hosts N          different hosts (100)\n"
    "  --first N          number of the first user and host (1)\n"
    "  --user-format F    user name, with one %u (user%u)\n"
    "  --host-format F    host name, with one %u (host%u)\n"
    "  --domain D         domain of the users (none)\n"
    "  --hold MS          time between check-out and release (0)\n"
    "  --op NAME[=N]      find, search or checkout, N times as often as the others; repeatable\n"
    "                     (checkout: check-out and release)\n"
    "  --rate N           open loop: N turns per second, latency from the intended start\n"
    "  --timeout MS       deadline that the gateway is told (none)\n"
    "  --truth FILE       JSON array: the password of each host, compared with each answer\n"
    "  --keep             a session of its own for each check-out, never released\n"
    "  --count N          end after N turns\n"
    "  --first-turn N     number of the first turn: another run's sessions are left alone (0)\n";

struct settings {
    struct load *load;
    const char *address, *token_file, *truth_file;
    int64_t clients, seconds, warmup, users, hosts, first, hold, timeout, count, rate, first_turn;
};

/* Exactly one conversion, %u with an optional width. */
static bool good_format(const char *f)
{
    const char *p = strchr(f, '%');

    if (!p)
        return false;
    p += 1 + strspn(p + 1, "0123456789");
    return *p == 'u' && !strchr(p, '%') && strlen(f) < 64;
}

static bool parse_address(struct load *l, const char *text)
{
    char host[64];
    int64_t port;
    const char *colon = strrchr(text, ':');

    if (!colon || !text_copy_n(host, sizeof(host), text, (size_t)(colon - text)) ||
        !text_int(colon + 1, 1, 65535, &port))
        return false;
    if (host[0] == '[')
        return text_copy_n(host, sizeof(host), text + 1, (size_t)(colon - text) - 2) &&
               uv_ip6_addr(host, (int)port, (struct sockaddr_in6 *)&l->address) == 0;
    return uv_ip4_addr(host, (int)port, (struct sockaddr_in *)&l->address) == 0;
}

/* NAME or NAME=WEIGHT */
static bool parse_op(struct load *l, const char *text)
{
    static const char *const name[] = {"find", "search", "checkout"};
    size_t n = strcspn(text, "=");
    int64_t weight = 1;

    if (text[n] && !text_int(text + n + 1, 1, 1000, &weight))
        return false;
    for (size_t i = 0; i < 3; i++) {
        if (strlen(name[i]) != n || strncmp(name[i], text, n) != 0)
            continue;
        l->weight[i] = (unsigned)weight;
        return true;
    }
    return false;
}

static bool take_option(struct settings *s, int option, const char *value)
{
    switch (option) {
    case 'a': s->address = value; return parse_address(s->load, value);
    case 't': s->token_file = value; return true;
    case 'c': return text_int(value, 1, 100000, &s->clients);
    case 's': return text_int(value, 1, 3600, &s->seconds);
    case 'w': return text_int(value, 0, 600, &s->warmup);
    case 'u': return text_int(value, 1, 1000000, &s->users);
    case 'h': return text_int(value, 1, 1000000, &s->hosts);
    case 'f': return text_int(value, 0, 1000000, &s->first);
    case 'l': return text_int(value, 0, 3600000, &s->hold);
    case 'U': s->load->user_format = value; return good_format(value);
    case 'H': s->load->host_format = value; return good_format(value);
    case 'd': s->load->domain = value; return strlen(value) < 64;
    case 'o': return parse_op(s->load, value);
    case 'r': return text_int(value, 1, 1000000, &s->rate);
    case 'T': return text_int(value, 1, 600000, &s->timeout);
    case 'V': s->truth_file = value; return true;
    case 'k': s->load->keep = true; return true;
    case 'N': return text_int(value, 0, 100000000, &s->first_turn);
    case 'n': return text_int(value, 1, 100000000, &s->count);
    default: return false;
    }
}

static bool parse(struct settings *s, int argc, char **argv)
{
    static const struct option options[] = {
        {"address", 1, NULL, 'a'},     {"token-file", 1, NULL, 't'},
        {"clients", 1, NULL, 'c'},     {"seconds", 1, NULL, 's'},
        {"warmup", 1, NULL, 'w'},      {"users", 1, NULL, 'u'},
        {"hosts", 1, NULL, 'h'},       {"first", 1, NULL, 'f'},
        {"hold", 1, NULL, 'l'},        {"user-format", 1, NULL, 'U'},
        {"host-format", 1, NULL, 'H'}, {"domain", 1, NULL, 'd'},
        {"op", 1, NULL, 'o'},          {"rate", 1, NULL, 'r'},
        {"timeout", 1, NULL, 'T'},     {"truth", 1, NULL, 'V'},
        {"keep", 0, NULL, 'k'},        {"count", 1, NULL, 'n'},
        {"first-turn", 1, NULL, 'N'},  {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
        if (!take_option(s, option, optarg))
            return false;
    return optind == argc && s->address && s->token_file && !(s->rate && s->first_turn);
}

static void put_step(struct jsonw *w, const struct load *l, enum load_step step, const char *name,
                     double seconds)
{
    const struct histogram *h = &l->latency[step];

    if (!h->total)
        return;
    jsonw_object(w, name);
    jsonw_int(w, "count", (int64_t)l->done[step]);
    jsonw_double(w, "per_second", (double)l->done[step] / seconds);
    jsonw_double(w, "p50_ms", (double)histogram_percentile(h, 50) / 1000);
    jsonw_double(w, "p99_ms", (double)histogram_percentile(h, 99) / 1000);
    jsonw_double(w, "p99_9_ms", (double)histogram_percentile(h, 99.9) / 1000);
    jsonw_double(w, "max_ms", (double)h->max / 1000);
    jsonw_end(w);
}

/* Turns that should have begun by the end and found no free client. */
static int64_t late_turns(const struct load *l)
{
    double meant = (double)(l->until_us - l->first_turn_us) / 1e6 * l->rate;

    return meant > (double)l->turns ? (int64_t)(meant - (double)l->turns) : 0;
}

static void report(const struct load *l)
{
    struct buf out = BUF_INIT(8192);
    struct jsonw w = jsonw_start(&out);
    double seconds = (double)(l->until_us - l->from_us) / 1e6;

    jsonw_object(&w, NULL);
    jsonw_int(&w, "clients", l->clients);
    jsonw_double(&w, "seconds", seconds);
    jsonw_int(&w, "most_in_flight", l->most_in_flight);
    put_step(&w, l, STEP_FIND, "find", seconds);
    put_step(&w, l, STEP_SEARCH, "search", seconds);
    put_step(&w, l, STEP_CHECKOUT, "checkout", seconds);
    put_step(&w, l, STEP_RELEASE, "release", seconds);
    if (l->rate > 0) {
        jsonw_double(&w, "rate", l->rate);
        jsonw_int(&w, "late_turns", late_turns(l));
    }
    jsonw_int(&w, "verified", (int64_t)l->verified);
    jsonw_int(&w, "refused", (int64_t)l->refused);
    jsonw_int(&w, "errors", (int64_t)l->errors);
    if (l->errors)
        jsonw_str(&w, "first_error", l->first_error);
    jsonw_end(&w);
    (void)buf_char(&out, '\n');
    (void)fwrite(out.data, 1, out.len, stdout);
    buf_free(&out);
}

static void stop(struct load *l)
{
    l->until_us = clock_measure_us();
    l->measuring = false;
    l->stopping = true;
    uv_close((uv_handle_t *)&l->phase, NULL);
    if (l->rate > 0)
        pace_stop(l);
}

static void on_stop(uv_timer_t *timer)
{
    stop(timer->data);
}

void load_over(struct load *l)
{
    if (!l->stopping)
        stop(l);
}

static void on_warm(uv_timer_t *timer)
{
    struct load *l = timer->data;

    l->from_us = clock_measure_us();
    l->measuring = true;
    (void)uv_timer_start(timer, on_stop, l->until_us, 0); /* until_us holds the length until then */
}

static int run(struct load *l, const struct settings *s)
{
    int err = uv_loop_init(&l->loop);

    if (err)
        return err;
    err = uv_timer_init(&l->loop, &l->phase);
    if (err)
        return err;
    l->phase.data = l;
    l->until_us = (uint64_t)s->seconds * 1000;
    if (l->rate > 0 && (err = pace_start(l)))
        return err;
    for (unsigned i = 0; i < l->clients && !err; i++) {
        err = client_start(l, i);
        if (i % 64 == 63)
            (void)uv_run(&l->loop, UV_RUN_NOWAIT);
    }
    if (!err)
        err = uv_timer_start(&l->phase, on_warm, (uint64_t)s->warmup * 1000, 0);
    if (!err)
        (void)uv_run(&l->loop, UV_RUN_DEFAULT);
    return err ? err : uv_loop_close(&l->loop);
}

static void settle(struct load *l, const struct settings *s)
{
    l->clients = (unsigned)s->clients;
    l->users = (unsigned)s->users;
    l->hosts = (unsigned)s->hosts;
    l->first = (unsigned)s->first;
    l->hold_ms = (uint64_t)s->hold;
    l->timeout_ms = (uint64_t)s->timeout;
    l->turns = (uint64_t)s->first_turn;
    l->count = s->count ? (uint64_t)(s->count + s->first_turn) : 0;
    l->rate = (double)s->rate;
    if (!l->weight[STEP_FIND] && !l->weight[STEP_SEARCH] && !l->weight[STEP_CHECKOUT])
        l->weight[STEP_CHECKOUT] = 1;
    TAILQ_INIT(&l->idle);
}

static int read_file(const char *path, struct buf *to)
{
    char piece[65536];
    size_t n;
    FILE *file = fopen(path, "re");

    if (!file)
        return -errno;
    while ((n = fread(piece, 1, sizeof(piece), file)) > 0)
        (void)buf_append(to, piece, n);
    int err = ferror(file) ? -EIO : to->failed ? -EMSGSIZE : 0;
    (void)fclose(file);
    return err;
}

/* One text per host. */
static int read_truth(struct load *l, const char *path)
{
    struct buf text = BUF_INIT((size_t)64 << 20);
    const char *why;
    int err = read_file(path, &text);
    cJSON *all = err ? NULL : json_parse(text.data, text.len, 4, 0, &why);
    unsigned n = 0;
    const cJSON *one;

    l->truth_rows = all;
    buf_free(&text);
    if (!cJSON_IsArray(all) || (unsigned)cJSON_GetArraySize(all) < l->hosts)
        return err ? err : -EINVAL;
    l->truth = calloc(l->hosts, sizeof(*l->truth));
    if (!l->truth)
        return -ENOMEM;
    cJSON_ArrayForEach(one, all)
    {
        if (!cJSON_IsString(one))
            return -EINVAL;
        if (n < l->hosts)
            l->truth[n++] = one->valuestring;
    }
    return 0;
}

static int complain(const char *what, int err)
{
    (void)fprintf(stderr, "jumpgate-load: %s: %s\n", what, uv_strerror(err));
    return 1;
}

int main(int argc, char **argv)
{
    static struct load load = {.user_format = "user%u", .host_format = "host%u", .domain = ""};
    struct settings s = {
        .load = &load, .clients = 16, .seconds = 5, .warmup = 1, .users = 100, .hosts = 100, .first = 1};

    if (!parse(&s, argc, argv)) {
        (void)fputs(usage, stderr);
        return 2;
    }
    (void)signal(SIGPIPE, SIG_IGN); /* a connection the gateway closed is an error to count */
    json_init();
    settle(&load, &s);
    int err = secret_read_file(&load.token, s.token_file, 512);
    if (err)
        return complain(s.token_file, err);
    err = s.truth_file ? read_truth(&load, s.truth_file) : 0;
    if (err)
        return complain(s.truth_file, err);
    err = run(&load, &s);
    secret_clear(&load.token);
    free(load.truth);
    cJSON_Delete(load.truth_rows);
    if (err)
        return complain("run", err);
    report(&load);
    return load.errors ? 1 : 0;
}
