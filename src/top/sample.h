/*
 * sample.h - one reading of a running gateway: /readyz, /status, /metrics and /v1/leases as plain rows.
 *
 * Life: sample_new() -> sample_read_*() with each answer -> sample_free(). All texts belong to the sample and
 * are fit for a terminal: hidden letters and controls are escaped (utf8_visible). What the gateway does not
 * give is "", 0 or not there.
 *
 * Not here: rates, which need two samples (model.h).
 */
#ifndef JG_TOP_SAMPLE_H
#define JG_TOP_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct string_pool;

#define HISTOGRAM_BUCKETS 24

/* Cumulative, as on the page; `le` grows and the last one is infinite. */
struct histogram {
    double le[HISTOGRAM_BUCKETS], count[HISTOGRAM_BUCKETS];
    size_t n;
};

struct operation_sample {
    const char *name;
    struct histogram duration;
    double failed; /* answers with a status of 400 and more, and clients that left */
};

struct vault_sample {
    const char *name, *state, *detail;
    int64_t connections, in_flight, queued, wait_ms, sessions;
    double failed;             /* calls without a usable answer */
    struct histogram duration; /* of all calls */
};

struct site_sample {
    const char *name; /* NULL = there is none */
    const char *state, *detail;
    int64_t success_age_ms, poll_age_ms; /* -1 = not known */
    int64_t skew_ms;
    size_t jumpoints, jumpoints_away;
};

struct lease_sample {
    const char *id, *user, *system, *account, *credential, *state, *session, *last_error;
    size_t sessions;         /* that hold the vault request */
    int64_t expires_wall_ms; /* 0 = not known */
    int64_t created_wall_ms;
    bool adopted;
};

struct error_sample {
    const char *request_id, *operation, *code, *client, *user, *endpoint, *detail;
    int64_t wall_ms, count;
};

struct sample {
    uint64_t at_ms; /* monotonic */
    int64_t wall_ms;
    bool ready;
    const char **reasons; /* against it */
    size_t nreasons;
    const char *version, *started_at;
    int64_t uptime_s, connections, overdue_s;
    int64_t active, releasing, retrying, lapsed, in_flight; /* leases; operations */
    double lag_ms;
    bool draining;
    struct vault_sample *vaults;
    size_t nvaults;
    struct site_sample site;
    struct operation_sample *operations;
    size_t noperations;
    struct lease_sample *leases;
    size_t nleases;
    bool more_leases; /* than LEASES_MAX */
    struct error_sample *errors;
    size_t nerrors;
    struct string_pool *texts;
    bool failed; /* memory ran out: the sample is of no use */
};

#define LEASES_MAX 10000 /* rows of one sample */

struct sample *sample_new(uint64_t at_ms, int64_t wall_ms); /* NULL = out of memory */
void sample_free(struct sample *);                          /* NULL is fine */

/* Each takes an answer of `len` bytes. False = it is not understood, or memory ran out. */
bool sample_read_ready(struct sample *, const char *json, size_t len);
bool sample_read_status(struct sample *, const char *json, size_t len);
/* After the status, whose vaults it completes. `page` ends with a NUL. */
bool sample_read_metrics(struct sample *, const char *page);
/* A page of leases; `next` is the cursor of the next one, "" = there is none or no more are taken. */
bool sample_read_leases(struct sample *, const char *json, size_t len, char *next, size_t size);

#endif
