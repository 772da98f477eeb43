/*
 * collecting.h - the collector as a process runs it: from the configuration come the sites over the network,
 * the thread that writes the database, and the machines that decide (collect/).
 *
 * Life: collecting_open -> collecting_start -> (collecting_reload) -> collecting_stop -> stopped() ->
 * collecting_free. It belongs to the loop's thread. The lock of the database is the caller's.
 */
#ifndef JG_REPORTS_COLLECTING_COLLECTING_H
#define JG_REPORTS_COLLECTING_COLLECTING_H

#include "loop/loop.h"
#include "reports/collect/collect.h"
#include "reports/conf/reports_conf.h"

struct collecting;

struct collecting_params {
    struct loop *loop;
    const struct reports_conf *conf; /* read during the call only */
    struct report_store *store;      /* open; the thread's alone until stopped(), and the caller's then */
    /* Of `collect --once`: one round, then finished(). */
    bool once;
    const char *site;     /* name of the one that is asked; NULL = all */
    int64_t since, until; /* Unix seconds; RECORD_NONE = not given */
};

/* The folder of archives that are being read, the caller's; it is there before collecting_open(). NULL: no
 * memory. */
char *collecting_spool(const struct reports_conf *);
/* NULL: why[] says what is wrong: a secret that cannot be read, an unknown site, no memory. */
struct collecting *collecting_open(const struct collecting_params *, char why[256]);
/* 0 or -errno. `finished`, of a round alone, has the exit code of the command: 0, 1 or 3. */
int collecting_start(struct collecting *, void (*finished)(void *arg, int exit_code), void *arg);
/* 0 and the new configuration is in place, or -EINVAL and why[], and nothing has changed. */
int collecting_reload(struct collecting *, const struct reports_conf *, char why[256]);
/* Ends calls at once and the transaction that runs; stopped() comes when nothing is left. `drain_ms` later a
 * statement that still runs is interrupted. */
void collecting_stop(struct collecting *, uint64_t drain_ms, void (*stopped)(void *arg), void *arg);
/* One that was never stopped is closed by the loop's next iterations. NULL is fine. */
void collecting_free(struct collecting *);

/* What the page shows (collect_state()); the same until collecting_free(). */
struct collector *collecting_collector(struct collecting *);

#endif
