/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run_witness.c - the audit trail against the store; see run_witness.h.
 *
 * The store cannot detect its own losses: SQLite silently drops a damaged piece of its log and everything
 * after it, and a rebuilt store is empty. The trail is a separate file and shows them. An unreadable trail
 * does not stop the start: it has alarms of its own.
 */
#include "commands/run_witness.h"

#include "audit/audit_tail.h"
#include "audit/audit_witness.h"
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

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

    log_error(
        "store_rows_lost", "count=%zu hint=%s", lost,
        "the lease store has lost rows of check-outs that the audit trail knows; their requests are looked "
        "for at the vault and checked in");
    audit_note(&n, audit, "store_rows_lost");
    audit_count(&n, "count", (int64_t)lost);
    audit_write(&n);
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
