/* SPDX-License-Identifier: Apache-2.0 */
/*
 * collecting.c - the collector as a process runs it; see collecting.h.
 *
 * A site of the configuration is a struct net_site: its connection stays over a reload unless the address,
 * the account or the way to it changes. Stopping waits for three things: the machines, the writer's thread,
 * the connections.
 */
#include "reports/collecting/collecting.h"

#include "base/log.h"
#include "base/text.h"
#include "reports/collecting/writer_thread.h"
#include "reports/pra/pra_open.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WHY_SIZE 256

struct net_site {
    char *name, *host_name, *url, *client_id, *ca_file, *proxy;
    struct report_site *site;
    bool taken; /* of a reload: it goes on */
};

struct net_sites {
    struct net_site *rows;
    size_t n;
};

struct collecting {
    struct loop *loop;
    char *spool;
    char *only; /* the site that is asked; NULL = all */
    bool once;
    struct writer_thread *writer;
    struct collector *collector;
    struct net_sites sites;
    struct collect_params params; /* without its arrays */
    unsigned open;                /* connections that are not closed yet */
    unsigned waits;               /* of stopping */
    void (*finished)(void *arg, int exit_code);
    void *finished_arg;
    void (*stopped)(void *arg);
    void *stopped_arg;
};

/* ---- connections ---- */

static void part_stopped(struct collecting *c)
{
    if (--c->waits || !c->stopped)
        return;
    c->stopped(c->stopped_arg);
}

static void on_site_closed(void *arg)
{
    struct collecting *c = arg;

    c->open--;
    if (c->stopped)
        part_stopped(c);
}

static void net_site_free(struct collecting *c, struct net_site *s)
{
    free(s->name);
    free(s->host_name);
    free(s->url);
    free(s->client_id);
    free(s->ca_file);
    free(s->proxy);
    if (s->site)
        report_site_close(s->site, on_site_closed, c);
    s->site = NULL;
}

static void net_sites_free(struct collecting *c, struct net_sites *sites)
{
    for (size_t i = 0; i < sites->n; i++)
        net_site_free(c, &sites->rows[i]);
    free(sites->rows);
    *sites = (struct net_sites){.n = 0};
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool is_same(const struct net_site *s, const struct reports_site *conf)
{
    return same_text(s->host_name, conf->host_name) && same_text(s->url, conf->url) &&
           same_text(s->client_id, conf->client_id) && same_text(s->ca_file, conf->ca_file) &&
           same_text(s->proxy, conf->proxy) && same_text(s->name, conf->name);
}

static struct report_site_params site_params(const struct collecting *c, const struct reports_site *conf)
{
    return (struct report_site_params){.name = conf->name,
                                       .host_name = conf->host_name,
                                       .url = conf->url,
                                       .client_id = conf->client_id,
                                       .ca_file = conf->ca_file,
                                       .proxy = conf->proxy,
                                       .rate_per_s = conf->rate_per_s,
                                       .hourly = (unsigned)conf->hourly,
                                       .parallel = (unsigned)conf->parallel,
                                       .pause_waited_ms = c->once ? COLLECT_ONCE_WAIT_MS : 0,
                                       .connect_timeout_ms = conf->connect_timeout_ms,
                                       .stall_timeout_ms = conf->stall_timeout_ms,
                                       .call_timeout_ms = conf->call_timeout_ms,
                                       .max_answer = (size_t)conf->max_answer,
                                       .max_session = (size_t)conf->max_session,
                                       .spool_dir = c->spool};
}

static int copy_text(char **to, const char *from)
{
    *to = from ? strdup(from) : NULL;
    return from && !*to ? -ENOMEM : 0;
}

static int read_secret(const struct reports_site *conf, struct secret *secret, char why[WHY_SIZE])
{
    char fault[80];

    if (!secret_read_line(secret, conf->client_secret_file, fault))
        return 0;
    (void)snprintf(why, WHY_SIZE, "client_secret_file: %.120s %s", conf->client_secret_file, fault);
    return -EINVAL;
}

/* A connection as this section says. */
static int net_site_open(struct collecting *c, const struct reports_site *conf, struct net_site *s,
                         char why[WHY_SIZE])
{
    struct report_site_params params = site_params(c, conf);
    struct secret secret = {0};

    *s = (struct net_site){.site = NULL};
    text_copy(why, WHY_SIZE, "out of memory");
    if (copy_text(&s->name, conf->name) || copy_text(&s->host_name, conf->host_name) ||
        copy_text(&s->url, conf->url) || copy_text(&s->client_id, conf->client_id) ||
        copy_text(&s->ca_file, conf->ca_file) || copy_text(&s->proxy, conf->proxy))
        return -ENOMEM;
    if (read_secret(conf, &secret, why))
        return -EINVAL;
    s->site = report_site_new(c->loop, &params, &secret, why);
    if (!s->site)
        return -EINVAL;
    c->open++;
    return 0;
}

static bool is_asked(const struct collecting *c, const struct reports_site *conf)
{
    return conf->enabled && (!c->only || strcmp(c->only, conf->name) == 0);
}

static struct net_site *find_same(struct net_sites *sites, const struct reports_site *conf)
{
    for (size_t i = 0; i < sites->n; i++)
        if (is_same(&sites->rows[i], conf))
            return &sites->rows[i];
    return NULL;
}

/* Opens what `old` does not have; what stays is still in `old` too, and marked there. */
static int open_sites(struct collecting *c, const struct reports_conf *conf, struct net_sites *old,
                      struct net_sites *new, char why[WHY_SIZE])
{
    *new = (struct net_sites){.rows = calloc(conf->nsites ? conf->nsites : 1, sizeof(*new->rows))};
    text_copy(why, WHY_SIZE, "out of memory");
    if (!new->rows)
        return -ENOMEM;
    for (size_t i = 0; i < conf->nsites; i++) {
        const struct reports_site *site = &conf->sites[i];
        struct net_site *same = find_same(old, site);
        int err = 0;

        if (!is_asked(c, site))
            continue;
        if (same) {
            same->taken = true;
            continue;
        }
        err = net_site_open(c, site, &new->rows[new->n], why);
        new->n++;
        if (err) {
            char because[WHY_SIZE];
            text_copy(because, sizeof(because), why);
            (void)snprintf(why, WHY_SIZE, "[pra %.60s] %.180s", site->name, because);
            return err;
        }
    }
    return 0;
}

static struct report_site *site_of(const struct collecting *c, const struct net_sites *more,
                                   const struct reports_site *conf)
{
    for (size_t i = 0; i < c->sites.n; i++)
        if (c->sites.rows[i].taken && is_same(&c->sites.rows[i], conf))
            return c->sites.rows[i].site;
    for (size_t i = 0; i < more->n; i++)
        if (is_same(&more->rows[i], conf))
            return more->rows[i].site;
    return NULL;
}

/* ---- what the machines are given ---- */

static void take_settings(struct collect_settings *s, const struct reports_main *conf)
{
    *s = (struct collect_settings){.backfill = (int64_t)(conf->backfill_ms / 1000),
                                   .keep = (int64_t)(conf->keep_ms / 1000),
                                   .keep_syslog = (int64_t)(conf->keep_syslog_ms / 1000),
                                   .poll_interval = (int64_t)(conf->poll_interval_ms / 1000),
                                   .running_interval = (int64_t)(conf->running_interval_ms / 1000),
                                   .inventory_interval = (int64_t)(conf->inventory_interval_ms / 1000),
                                   .syslog_interval = (int64_t)(conf->syslog_interval_ms / 1000),
                                   .overlap = (int64_t)(conf->overlap_ms / 1000),
                                   .sweep = (int64_t)(conf->sweep_ms / 1000),
                                   .running_max = (int64_t)(conf->running_max_ms / 1000),
                                   .abnormal_after = (int64_t)(conf->abnormal_after_ms / 1000)};
    for (size_t i = 0; i < conf->recheck.n && i < COLLECT_RECHECKS; i++)
        s->recheck[s->nrecheck++] = (int64_t)(conf->recheck.ms[i] / 1000);
}

struct arrays {
    struct collect_site_params *sites;
    struct collect_gateway_params *gateways;
};

static void arrays_free(struct arrays *a)
{
    free(a->sites);
    free(a->gateways);
}

static int fill_params(struct collecting *c, const struct reports_conf *conf, const struct net_sites *more,
                       struct arrays *a)
{
    struct collect_params *p = &c->params;

    *a = (struct arrays){.sites = calloc(conf->nsites + 1, sizeof(*a->sites)),
                         .gateways = calloc(conf->ngateways + 1, sizeof(*a->gateways))};
    if (!a->sites || !a->gateways)
        return -ENOMEM;
    take_settings(&p->settings, &conf->reports);
    p->nsites = p->ngateways = 0;
    for (size_t i = 0; i < conf->nsites; i++) {
        const struct reports_site *site = &conf->sites[i];
        if (c->only && strcmp(c->only, site->name) != 0)
            continue;
        a->sites[p->nsites++] =
            (struct collect_site_params){.name = site->name,
                                         .host_name = site->host_name,
                                         .enabled = site->enabled,
                                         .fetch = site->fetch,
                                         .batch = (unsigned)site->batch,
                                         .site = site->enabled ? site_of(c, more, site) : NULL,
                                         .time_zone = site->time_zone,
                                         .working_hours = site->working_hours};
    }
    for (size_t i = 0; i < conf->ngateways && !c->only; i++)
        a->gateways[p->ngateways++] =
            (struct collect_gateway_params){.name = conf->gateways[i].name, .audit = conf->gateways[i].audit};
    p->sites = a->sites;
    p->gateways = a->gateways;
    return 0;
}

/* ---- life ---- */

static bool knows_site(const struct reports_conf *conf, const char *name)
{
    for (size_t i = 0; i < conf->nsites; i++)
        if (strcmp(conf->sites[i].name, name) == 0)
            return true;
    return false;
}

char *collecting_spool(const struct reports_conf *conf)
{
    char *spool = NULL;

    return asprintf(&spool, "%s/spool", conf->reports.state_dir) < 0 ? NULL : spool;
}

static int open_all(struct collecting *c, const struct collecting_params *p, char why[WHY_SIZE])
{
    struct net_sites none = {.n = 0}, opened;
    struct arrays arrays = {.sites = NULL};
    int err = open_sites(c, p->conf, &none, &opened, why);

    c->sites = opened;
    for (size_t i = 0; i < opened.n; i++)
        opened.rows[i].taken = true;
    if (!err)
        err = fill_params(c, p->conf, &none, &arrays);
    if (!err) {
        c->collector = collect_new(&c->params, why);
        err = c->collector ? 0 : -EINVAL;
    }
    arrays_free(&arrays);
    return err;
}

struct collecting *collecting_open(const struct collecting_params *p, char why[WHY_SIZE])
{
    struct collecting *c = calloc(1, sizeof(*c));

    text_copy(why, WHY_SIZE, "out of memory");
    if (!c)
        return NULL;
    if (p->site && !knows_site(p->conf, p->site)) {
        (void)snprintf(why, WHY_SIZE, "there is no section [pra %.64s]", p->site);
        free(c);
        return NULL;
    }
    c->loop = p->loop;
    c->once = p->once;
    c->only = p->site ? strdup(p->site) : NULL;
    c->writer = writer_thread_new(p->loop, p->store);
    c->spool = collecting_spool(p->conf);
    if (c->spool && c->writer && (c->only || !p->site)) {
        c->params = (struct collect_params){.once = p->once,
                                            .partial = c->only != NULL,
                                            .since = p->since,
                                            .until = p->until,
                                            .timers = loop_timers(p->loop),
                                            .writer = writer_thread_writer(c->writer)};
        if (open_all(c, p, why) == 0)
            return c;
    }
    collecting_free(c);
    return NULL;
}

/* Has any call of the round got a whole answer? */
static bool got_any(const struct collect_state *state)
{
    for (size_t i = 0; i < state->nsites; i++)
        for (int k = 0; k < COLLECT_NSOURCES; k++)
            if (state->sites[i].sources[k].calls[REPORT_OK] ||
                state->sites[i].sources[k].calls[REPORT_NO_ROWS])
                return true;
    for (size_t i = 0; i < state->ngateways; i++)
        if (state->gateways[i].last_success != RECORD_NONE)
            return true;
    return false;
}

static int exit_code(const struct collecting *c)
{
    const struct collect_state *state = collect_state(c->collector);
    unsigned complete, failed;

    collect_results(c->collector, &complete, &failed);
    if (!state || state->database.outcome != DB_OK)
        return 1;
    if (!failed)
        return 0;
    return got_any(state) ? 3 : 1;
}

static void on_finished(void *arg)
{
    struct collecting *c = arg;

    c->finished(c->finished_arg, exit_code(c));
}

int collecting_start(struct collecting *c, void (*finished)(void *arg, int exit_code), void *arg)
{
    c->finished = finished;
    c->finished_arg = arg;
    return collect_start(c->collector, on_finished, c);
}

static int reload_limits(struct collecting *c, const struct reports_conf *conf, char why[WHY_SIZE])
{
    for (size_t i = 0; i < conf->nsites; i++) {
        struct report_site_params params = site_params(c, &conf->sites[i]);
        struct net_site *same = find_same(&c->sites, &conf->sites[i]);
        struct secret secret = {0};

        if (!same || !same->taken)
            continue;
        if (read_secret(&conf->sites[i], &secret, why))
            return -EINVAL;
        if (report_site_reload(same->site, &params, &secret))
            return -ENOMEM;
    }
    return 0;
}

/* The connections of before that go on, and the new ones. */
static int join_sites(struct collecting *c, struct net_sites *more)
{
    size_t room = c->sites.n + more->n, n = 0;
    struct net_site *rows = calloc(room ? room : 1, sizeof(*rows));

    if (!rows)
        return -ENOMEM;
    for (size_t i = 0; i < c->sites.n; i++) {
        if (c->sites.rows[i].taken)
            rows[n++] = c->sites.rows[i];
        else
            net_site_free(c, &c->sites.rows[i]);
    }
    for (size_t i = 0; i < more->n; i++)
        rows[n++] = more->rows[i];
    free(c->sites.rows);
    free(more->rows);
    c->sites = (struct net_sites){.rows = rows, .n = n};
    return 0;
}

int collecting_reload(struct collecting *c, const struct reports_conf *conf, char why[WHY_SIZE])
{
    struct net_sites more;
    struct arrays arrays = {.sites = NULL};
    int err;

    for (size_t i = 0; i < c->sites.n; i++)
        c->sites.rows[i].taken = false;
    err = open_sites(c, conf, &c->sites, &more, why);
    if (!err)
        err = reload_limits(c, conf, why);
    if (!err)
        err = fill_params(c, conf, &more, &arrays);
    if (!err)
        err = collect_reload(c->collector, &c->params);
    arrays_free(&arrays);
    if (!err)
        err = join_sites(c, &more);
    if (err)
        net_sites_free(c, &more);
    return err;
}

static void on_stopped(void *arg)
{
    part_stopped(arg);
}

void collecting_stop(struct collecting *c, uint64_t drain_ms, void (*stopped)(void *arg), void *arg)
{
    c->stopped = stopped;
    c->stopped_arg = arg;
    c->waits = 3 + c->open; /* the machines, the thread, this call, and the connections */
    collect_stop(c->collector, on_stopped, c);
    writer_thread_stop(c->writer, drain_ms, on_stopped, c);
    net_sites_free(c, &c->sites);
    part_stopped(c);
}

static void free_now(void *arg)
{
    struct collecting *c = arg;

    writer_thread_free(c->writer);
    free(c->spool);
    free(c->only);
    free(c);
}

void collecting_free(struct collecting *c)
{
    bool was_stopped;

    if (!c)
        return;
    was_stopped = c->stopped != NULL;
    collect_free(c->collector);
    if (was_stopped) {
        free_now(c);
        return;
    }
    c->stopped = free_now;
    c->stopped_arg = c;
    c->waits = 1 + c->open + (c->writer != NULL);
    net_sites_free(c, &c->sites);
    if (c->writer)
        writer_thread_stop(c->writer, 0, on_stopped, c);
    part_stopped(c);
}

struct collector *collecting_collector(struct collecting *c)
{
    return c->collector;
}
