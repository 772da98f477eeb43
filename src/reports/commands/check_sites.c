/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_sites.c - what the sites of a configuration answer; see check_sites.h.
 *
 * A site is asked one question, get_api_info, which needs a token: its answer has permissions and clock. All
 * sites are asked at once, and the lines are printed in the order of the configuration.
 */
#include "reports/commands/check_sites.h"

#include "base/container_of.h"
#include "base/memory/secret.h"
#include "loop/loop.h"
#include "reports/commands/check_say.h"
#include "reports/pra/pra_open.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SKEW_WARNED_MS 30000
#define SKEW_WRONG_MS  300000

struct asked {
    struct checking *all;
    const struct reports_site *conf;
    struct report_site *site;
    struct report_call call;
    char why[256]; /* it cannot be asked */
    bool has_info;
    enum report_grant grants[REPORT_NASKS];
    char version[64];
    bool has_time;
    int64_t site_ms;
    struct report_outcome outcome;
};

struct checking {
    struct loop *loop;
    struct asked *sites;
    size_t n;
    size_t open; /* calls that run, then connections that close */
};

/* ---- asking ---- */

static void on_closed(void *arg)
{
    struct checking *all = arg;

    if (--all->open == 0)
        loop_stop(all->loop);
}

/* One more is counted, so that the last callback comes after every close has been called. */
static void close_all(struct checking *all)
{
    all->open = 1;
    for (size_t i = 0; i < all->n; i++)
        if (all->sites[i].site) {
            all->open++;
            report_site_close(all->sites[i].site, on_closed, all);
        }
    on_closed(all);
}

static void on_info(struct report_call *call, const struct report_info *info)
{
    struct asked *a = CONTAINER_OF(call, struct asked, call);

    a->has_info = true;
    memcpy(a->grants, info->grants, sizeof(a->grants));
    (void)snprintf(a->version, sizeof(a->version), "%s", info->api_version);
    a->has_time = info->has_time;
    a->site_ms = info->time_ms;
}

/* The last one leaves the callback before its site is closed. */
static void on_ended(struct report_call *call, const struct report_outcome *outcome)
{
    struct asked *a = CONTAINER_OF(call, struct asked, call);

    a->outcome = *outcome;
    if (--a->all->open == 0)
        loop_stop(a->all->loop);
}

static const struct report_sink sink = {.info = on_info, .ended = on_ended};

static bool ask(struct asked *a, struct loop *loop)
{
    const struct reports_site *s = a->conf;
    const struct report_site_params params = {.name = s->name,
                                              .host_name = s->host_name,
                                              .url = s->url,
                                              .client_id = s->client_id,
                                              .ca_file = s->ca_file,
                                              .proxy = s->proxy,
                                              .rate_per_s = s->rate_per_s,
                                              .hourly = (unsigned)s->hourly,
                                              .parallel = (unsigned)s->parallel,
                                              .connect_timeout_ms = s->connect_timeout_ms,
                                              .stall_timeout_ms = s->stall_timeout_ms,
                                              .call_timeout_ms = s->call_timeout_ms,
                                              .max_answer = (size_t)s->max_answer,
                                              .max_session = (size_t)s->max_session,
                                              .spool_dir = "/tmp"};
    struct secret secret = {0};
    char why[80] = "";

    if (secret_read_line(&secret, s->client_secret_file, why)) {
        (void)snprintf(a->why, sizeof(a->why), "%.150s %s", s->client_secret_file, why);
        return false;
    }
    a->site = report_site_new(loop, &params, &secret, a->why);
    a->call = (struct report_call){.sink = &sink, .urgency = REPORT_LIVE};
    if (a->site && a->site->ops->info(a->site, &a->call) == 0)
        return true;
    if (a->site)
        (void)snprintf(a->why, sizeof(a->why), "out of memory");
    return false;
}

/* ---- what they said ---- */

static const struct {
    enum reports_fetch fetch;
    enum report_ask ask;
    const char *name;
} sources[] = {
    {REPORTS_FETCH_SESSIONS, REPORT_ASK_SESSIONS, "sessions"},
    {REPORTS_FETCH_TEAM, REPORT_ASK_TEAM, "team"},
    {REPORTS_FETCH_VAULT, REPORT_ASK_VAULT, "vault"},
    {REPORTS_FETCH_SYSLOG, REPORT_ASK_SYSLOG, "syslog"},
    {REPORTS_FETCH_INVENTORY, REPORT_ASK_PAGE, "inventory"},
};

static const char *grant_word(enum report_grant grant)
{
    return grant == REPORT_GRANT_YES ? "yes" : grant == REPORT_GRANT_NO ? "NO" : "not known";
}

static bool say_permissions(const struct asked *a, const char *what)
{
    char text[256] = "";
    size_t n = 0;
    bool good = true;

    if (!a->has_info)
        return check_say(false, what, "permissions", "%s", a->outcome.text);
    for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]) && n < sizeof(text); i++) {
        enum report_grant grant = a->grants[sources[i].ask];

        if (!(a->conf->fetch & sources[i].fetch))
            continue;
        good = good && grant != REPORT_GRANT_NO;
        int more = snprintf(text + n, sizeof(text) - n, "%s%s %s", n ? ", " : "", sources[i].name,
                            grant_word(grant));
        n += more > 0 ? (size_t)more : 0;
    }
    return check_say(good, what, "permissions", "%s", text);
}

static bool say_clock(const struct asked *a, const char *what)
{
    bool known = a->has_time || a->outcome.has_date;
    int64_t site_ms = a->has_time ? a->site_ms : a->outcome.date_ms;
    /* The site wrote its answer between sending and now. */
    int64_t skew = site_ms - (a->outcome.sent_ms + (int64_t)(a->outcome.took_ms / 2));
    int64_t size = skew < 0 ? -skew : skew;

    if (!known || !a->outcome.sent_ms)
        return check_say(true, what, "clock", "not known");
    return check_say(size <= SKEW_WRONG_MS, what, "clock", "%" PRId64 ".%" PRId64 " s %s%s", size / 1000,
                     size % 1000 / 100, skew < 0 ? "behind" : "ahead",
                     size > SKEW_WRONG_MS    ? ": set it, times of sessions are wrong"
                     : size > SKEW_WARNED_MS ? ": more than 30 s"
                                             : "");
}

static bool has_token(const struct asked *a)
{
    return a->has_info || a->outcome.end == REPORT_DENIED;
}

static bool say_site(const struct asked *a)
{
    char what[CONF_NAME_MAX + 8];
    bool good;

    (void)snprintf(what, sizeof(what), "pra %s", a->conf->name);
    if (!a->conf->enabled)
        return check_say(true, what, "token", "not enabled, not asked");
    if (*a->why)
        return check_say(false, what, "token", "%s", a->why);
    if (!has_token(a))
        return check_say(false, what, "token", "%s: %s", report_end_name(a->outcome.end), a->outcome.text);
    good = check_say(true, what, "token", "ok%s%s", *a->version ? ", API version " : "", a->version);
    good = say_permissions(a, what) && good;
    return say_clock(a, what) && good;
}

static void ask_all(struct checking *all)
{
    for (size_t i = 0; i < all->n; i++)
        if (all->sites[i].conf->enabled && ask(&all->sites[i], all->loop))
            all->open++;
    if (all->open)
        (void)loop_run(all->loop);
    close_all(all);
    if (all->open)
        (void)loop_run(all->loop);
}

bool check_connect_sites(const struct reports_conf *conf)
{
    struct checking all = {.loop = loop_new(), .n = conf->nsites};
    bool good = true;

    all.sites = calloc(conf->nsites + 1, sizeof(*all.sites));
    if (!all.loop || !all.sites) {
        free(all.sites);
        return check_say(false, "sites", "memory", "there is not enough");
    }
    for (size_t i = 0; i < all.n; i++) {
        all.sites[i].all = &all;
        all.sites[i].conf = &conf->sites[i];
    }
    ask_all(&all);
    for (size_t i = 0; i < all.n; i++)
        good = say_site(&all.sites[i]) && good;
    (void)loop_free(all.loop);
    free(all.sites);
    return good;
}
