/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit.c - the audit trail of a running gateway, and the trail against the store; see audit.h.
 *
 * The head is in state_dir, wherever the trail is: an attacker who cuts the trail must also change the head.
 * A gateway_started record without a gateway_stopped before it shows a crash.
 *
 * The store cannot detect its own losses: SQLite silently drops a damaged piece of its log and everything
 * after it, and a rebuilt store is empty. The trail is a separate file and shows them. An unreadable trail
 * does not stop the start: it has alarms of its own.
 */
#include "commands/run/audit.h"

#include "audit/audit_tail.h"
#include "audit/audit_witness.h"
#include "base/log.h"
#include "base/text.h"
#include "loop/loop.h"

#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAX_QUEUED   16384
#define DEADLINE_MS  2000
#define RETRY_MS     1000
#define UNAWAITED_MS 25
#define PATH_BYTES   4096

/* The end of a lease waits so long in the journal of a file: a kill loses both, and the lease ends once more
 * with a record. To etcd it goes at once, and so does its record to the trail. */
static uint64_t unawaited_ms(const struct conf *conf)
{
    return conf->store.type == STORE_ETCD ? 0 : UNAWAITED_MS;
}

static void record_start(struct audit *a, const struct conf *conf)
{
    struct audit_note n;

    audit_note(&n, a, "gateway_started");
    audit_text(&n, "version", JG_VERSION);
    audit_text(&n, "config_digest", conf->digest);
    audit_text(&n, "policy", audit_is_strict(a) ? "strict" : "degraded");
    audit_number(&n, "pid", getpid());
    audit_write(&n);
}

static enum audit_syslog_form syslog_form(const struct conf *conf)
{
    switch (conf->gateway.audit_syslog_format) {
    case SYSLOG_RFC3164: return AUDIT_SYSLOG_RFC3164;
    case SYSLOG_RFC5424: return AUDIT_SYSLOG_RFC5424;
    default: return AUDIT_SYSLOG_AUTO;
    }
}

/* The checks of the configuration have found it. */
static bool find_group(const char *name, gid_t *group)
{
    const struct group *gr = getgrnam(name);
    int64_t number = 0;

    if (!gr && !text_int(name, 0, (int64_t)UINT32_MAX - 1, &number))
        return false;
    *group = gr ? gr->gr_gid : (gid_t)number;
    return true;
}

bool run_audit_attach(struct run_audit *ra, struct loop *loop, const struct conf *conf, size_t max_queued,
                      char why[320])
{
    char head[PATH_BYTES];
    struct audit_writer_opts writer = {.uv = loop_uv(loop),
                                       .clock = loop_clock(loop),
                                       .timers = loop_timers(loop),
                                       .file = conf->gateway.audit_file,
                                       .head = head,
                                       .syslog = conf->gateway.audit_syslog,
                                       .syslog_form = syslog_form(conf),
                                       .max_queued = max_queued,
                                       .deadline_ms = DEADLINE_MS,
                                       .unawaited_ms = unawaited_ms(conf),
                                       .retry_ms = RETRY_MS};

    if (snprintf(head, sizeof(head), "%s/audit.head", conf->gateway.state_dir) >= (int)sizeof(head)) {
        (void)snprintf(why, 320, "the name of the state directory is too long");
        errno = ENAMETOOLONG;
        return false;
    }
    if (conf->gateway.audit_group) {
        writer.has_group = find_group(conf->gateway.audit_group, &writer.group);
        if (!writer.has_group) {
            (void)snprintf(why, 320, "there is no group `%.64s` any more", conf->gateway.audit_group);
            errno = EINVAL;
            return false;
        }
    }
    ra->writer = audit_writer_open(&writer, why);
    if (!ra->writer)
        return false;
    ra->audit = audit_new(&(struct audit_opts){.sink = audit_writer_sink(ra->writer),
                                               .timers = loop_timers(loop),
                                               .policy = conf->gateway.audit_policy,
                                               .node = conf->store.node});
    if (!ra->audit) {
        (void)snprintf(why, 320, "out of memory");
        errno = ENOMEM;
        return false;
    }
    return true;
}

bool run_audit_open(struct run_audit *ra, struct loop *loop, const struct conf *conf, char why[320])
{
    if (!run_audit_attach(ra, loop, conf, MAX_QUEUED, why))
        return false;
    record_start(ra->audit, conf);
    return true;
}

void run_audit_rotate(struct run_audit *ra)
{
    if (ra->writer)
        audit_writer_rotate(ra->writer);
}

void run_audit_stop(struct run_audit *ra)
{
    struct audit_note n;

    audit_note(&n, ra->audit, "gateway_stopped");
    audit_write(&n);
    audit_free(ra->audit);
    ra->audit = NULL;
}

void run_audit_close(struct run_audit *ra, void (*closed)(void *arg), void *arg)
{
    struct audit_writer *writer = ra->writer;

    ra->writer = NULL;
    if (writer)
        audit_writer_close(writer, closed, arg);
}

/* ---- against the store ---- */

struct witness_run {
    struct broker *broker;
    struct audit_witness *witness;
    size_t lost;
};

static void on_claim(void *arg, const struct audit_claim *c)
{
    struct witness_run *run = arg;

    if (broker_claim(run->broker, c))
        run->lost++;
}

static int on_line(void *arg, const char *line, size_t n)
{
    return audit_witness_line(((struct witness_run *)arg)->witness, line, n);
}

static void report_lost(struct audit *audit, size_t lost)
{
    struct audit_note n;

    log_error("store_rows_lost", "count=%zu hint=%s", lost,
              "the lease store has lost rows of check-outs that the audit trail knows; their requests are "
              "looked for at the vault and checked in");
    audit_note(&n, audit, "store_rows_lost");
    audit_count(&n, "count", (int64_t)lost);
    audit_write(&n);
}

static int on_tag_line(void *arg, const char *line, size_t n)
{
    return audit_line_tag(line, n, arg);
}

void run_tag(const struct conf *conf, struct store *store)
{
    const struct conf_gateway *g = &conf->gateway;
    struct audit_tail past = {0};
    char tag[ID_TAG_SIZE] = "";

    if (!store->ops->set_tag || *store->ops->tag(store) ||
        audit_tail_read(g->audit_file, g->audit_witness, on_tag_line, tag, &past) != 1)
        return;
    int err = store->ops->set_tag(store, tag);

    if (err)
        log_warn("lease_tag_lost", "error=%s", strerror(-err));
    else
        log_info("lease_tag_of_trail", "tag=%s", tag);
}

void run_witness(const struct conf *conf, struct broker *broker, struct audit *audit)
{
    const struct conf_gateway *g = &conf->gateway;
    struct witness_run run = {.broker = broker,
                              .witness = g->audit_witness ? audit_witness_new(on_claim, &run) : NULL};
    struct audit_tail past = {0};

    if (!g->audit_witness)
        return;
    int err = run.witness ? audit_tail_read(g->audit_file, g->audit_witness, on_line, &run, &past) : -ENOMEM;

    audit_witness_free(run.witness);
    if (err)
        log_warn("audit_witness_failed", "error=%s hint=%s", strerror(-err),
                 "rows that the lease store may have lost are not noticed");
    else
        log_debug("audit_witness", "bytes=%" PRIu64 " files=%u whole=%s packed=%s lost=%zu", past.bytes,
                  past.files, past.whole ? "yes" : "no", past.packed ? "yes" : "no", run.lost);
    if (run.lost)
        report_lost(audit, run.lost);
}
