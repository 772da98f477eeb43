/*
 * copy_rig.h - `jumpgate store copy` in one process: a state directory in memory, fake_etcd.h in the place of
 * etcd's members, and the command itself with configurations that the rig has made.
 *
 * Not here: reading configurations, and the audit trail; the rig stands for both.
 */
#ifndef JG_TESTS_COPY_RIG_H
#define JG_TESTS_COPY_RIG_H

#include "fake_etcd.h"
#include "stores/move.h"

#define COPY_PREFIX "/jumpgate/"
#define COPY_TTL_MS 8

extern struct copy_rig {
    char dir[64], file[96]; /* the state directory, its leases.db */
    struct fake_etcd *etcd;
    unsigned calls;                       /* of etcd, by the last command */
    unsigned lost;                        /* the answer of this one is lost; 0 = of none */
    bool lost_before;                     /* and the question too */
    void (*on_call)(unsigned n);          /* NULL, or before the nth call is answered */
    void (*before)(void), (*after)(void); /* NULL, or around the work of a command */
    char out[8192], err[8192];            /* what the last command has printed */
} copy_rig;

/* With an empty directory and an empty etcd; all that is above is as at first. */
void copy_begin(void);
void copy_end(void);

/* The exit code. `flag` is one more word, or NULL. It ends with a reason on standard error, or with 0. */
int copy_run(bool into_etcd, const char *flag);

/* A row in etcd; value NULL = it goes. Keys are without the prefix. NULL = it is not there. */
void copy_put(const char *key, const char *value);
const char *copy_get(const char *key);

/* A request in each state, two leases of one of them, and a cursor. */
void copy_fill_file(void);
void copy_sql(const char *sql);
void copy_lose_file(void); /* the directory is another one, without a store */
/* Of all rows there, which are no more and no fewer than copy_fill_file() has made; else the test fails. */
void copy_check_file(void);
void copy_check_etcd(void);
struct store_move copy_mark(void); /* what the file says of a move */

#endif
