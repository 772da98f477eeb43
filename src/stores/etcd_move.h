/*
 * etcd_move.h - a cluster's rows as one end of a move (move.h), and what operators' commands write there.
 *
 * The key c/moved says that the rows of this prefix are no gateway's to use: they are being written, or being
 * read, or have been moved away. A gateway that finds it does not join, and with it no gateway enters. Its
 * create revision is the epoch of the owner of all rows that the move writes, NODE@EPOCH: when the move is
 * complete c/moved goes, and d/NODE@EPOCH says that the owner is dead, so that the first gateway adopts them.
 *
 * Everything here makes texts and reads them; who asks etcd is the caller.
 */
#ifndef JG_STORES_ETCD_MOVE_H
#define JG_STORES_ETCD_MOVE_H

#include "stores/etcd_txn.h"
#include "stores/move.h"

/* The numbers of the schema that this version reads and writes. */
#define ETCD_SCHEMA_OLDEST 1
#define ETCD_SCHEMA_NEWEST 1
/* Is the text of c/schema one that this version can work with? "" = none yet, which is. */
bool etcd_schema_is_known(const char *text);

#define ETCD_MOVED_KEY "c/moved"

enum etcd_moved_kind {
    ETCD_MOVED_IN,  /* rows are being written here; the move is not complete */
    ETCD_MOVED_OUT, /* the rows are being read; the move is not complete */
    ETCD_MOVED_GONE /* the rows are elsewhere */
};

struct etcd_moved {
    enum etcd_moved_kind kind;
    char id[ID_SIZE];
    char peer[MOVE_PEER_SIZE]; /* the other store, for people */
};

void etcd_moved_write(struct buf *out, const struct etcd_moved *);
/* 0, -EUCLEAN, -ENOMEM. */
int etcd_moved_read(const char *value, size_t n, struct etcd_moved *);
/* Why a gateway cannot join. */
#define ETCD_MOVED_WHY 320
void etcd_moved_explain(const struct etcd_moved *, char why[ETCD_MOVED_WHY]);

/* ---- rows as keys ---- */

struct etcd_pair {
    char *key, *value; /* the key without the prefix; both in one allocation */
};

struct etcd_pairs {
    struct etcd_pair *all;
    size_t n;
};

/* All keys of the rows, sorted. 0; -ENOMEM; -ENAMETOOLONG; -EEXIST: two rows have one key, *twice. */
int etcd_pairs_of(struct etcd_pairs *, const struct move_rows *, const char *owner, const char *node,
                  const char **twice);
int etcd_pairs_add(struct etcd_pairs *, const char *key, const char *value); /* 0 or -ENOMEM */
void etcd_pairs_sort(struct etcd_pairs *);
const struct etcd_pair *etcd_pairs_find(const struct etcd_pairs *, const char *key);
void etcd_pairs_free(struct etcd_pairs *);

/* ---- transactions ---- */

/* m/NODE goes as it was read, and d/NODE@EPOCH comes, whose rows `adopter` takes over; "" = whoever is
 * first. `more`: etcd_dead_value(). */
void etcd_write_fence(const struct etcd_writer *, const char *node, int64_t epoch, int64_t mod,
                      const char *adopter, const char *more);

#endif
