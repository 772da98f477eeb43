/*
 * copy.h - `jumpgate store copy`: what its two directions have in common.
 */
#ifndef JG_COMMANDS_STORE_COPY_H
#define JG_COMMANDS_STORE_COPY_H

#include "commands/store_calls.h"
#include "commands/store_command.h"
#include "stores/sqlite_move.h"

/* A store copy, once both ends are open. */
struct copy {
    struct store_command *command;
    struct conf *other;             /* the second configuration */
    const struct conf *file, *etcd; /* the ends; one of them is that of the command */
    bool into_etcd, dry, done_before;
    char file_name[MOVE_PEER_SIZE], etcd_name[MOVE_PEER_SIZE]; /* for people */

    struct sqlite_move *sqlite; /* NULL in a dry run */
    struct store_move mark;     /* what the file says of a move */

    struct store_calls calls;
    bool has_moved; /* etcd says something of a move */
    struct etcd_moved moved;
    int64_t epoch, moved_mod; /* of c/moved; 0 = absent */
    char tag[ID_TAG_SIZE];    /* the cluster's; "" = no gateway has used it */
    size_t netcd;             /* rows of requests and leases in etcd */

    struct move_rows rows;
    size_t odd;
    char digest[MOVE_DIGEST_SIZE];
};

/* Each: 0, or an exit code after saying why. */
int copy_look(struct copy *);         /* reads what etcd says of itself */
int copy_stop_members(struct copy *); /* no gateway lives; those that have died are fenced */
/* c/moved, with the cluster's rows gone where `clear`. Refuses where a gateway has entered since. */
int copy_lock(struct copy *, enum etcd_moved_kind, const char *id, const char *peer, bool clear);
int copy_write_rows(struct copy *); /* all keys in etcd are those of the rows */
int copy_verify(struct copy *);     /* the rows in etcd are the rows */
int copy_release(struct copy *);    /* gateways may enter */
int copy_set_gone(struct copy *);   /* none does any more */
int copy_failed(struct copy *, int err);

#endif
