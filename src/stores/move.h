/*
 * move.h - rows that are moved from one store to another: what both stores keep of it, and the rows in
 * memory.
 *
 * A move has an id, by which either store knows the other one's part of it. The store that the rows leave
 * ends as GONE, and no gateway uses it any more; the one that they come to may end as CAME.
 *
 * Not here: the order of the move's writes (commands/store/copy.c).
 */
#ifndef JG_STORES_MOVE_H
#define JG_STORES_MOVE_H

#include "stores/store.h"

enum move_state {
    MOVE_NONE,
    MOVE_GONE,  /* the rows have been moved to `peer` */
    MOVE_CAME,  /* they came from `peer` */
    MOVE_BEGUN, /* a move to `peer` was begun; the rows are here */
};

#define MOVE_PEER_SIZE 256

struct store_move {
    enum move_state state;
    char id[ID_SIZE];
    char tag[ID_TAG_SIZE];     /* of the cluster */
    char peer[MOVE_PEER_SIZE]; /* for people */
};

/* All rows of a store. */
struct move_rows {
    struct request_row **requests;
    struct lease_row **leases;
    struct cursor_row *cursors; /* each with a site of its own */
    size_t nrequests, nleases, ncursors;
};

/* Its argument is a struct move_rows. */
extern const struct store_reader move_reader;
/* After reading. Sorts; drops leases whose request is not there, or not one that a lease may hold (*odd = how
 * many): no gateway takes them up. */
void move_rows_end(struct move_rows *, size_t *odd);
void move_rows_free(struct move_rows *);
/* NULL = there is none of that mark. After move_rows_end(). */
const struct request_row *move_rows_request(const struct move_rows *, const char *mark);

/* SHA-256, in hex, of all that a move must keep of requests and leases. 0 or -ENOMEM. */
#define MOVE_DIGEST_SIZE 65
int move_rows_digest(const struct move_rows *, char hex[MOVE_DIGEST_SIZE]);

#endif
