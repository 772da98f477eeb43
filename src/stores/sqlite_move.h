/*
 * sqlite_move.h - the embedded store as one end of a move (move.h), without a gateway: all calls block.
 */
#ifndef JG_STORES_SQLITE_MOVE_H
#define JG_STORES_SQLITE_MOVE_H

#include "stores/move.h"

#define SQLITE_MOVE_WHY 320

struct sqlite_move;

/* Takes the state directory, and opens the file in it or makes one. NULL and why: a gateway runs there, … */
struct sqlite_move *sqlite_move_open(const char *state_dir, char why[SQLITE_MOVE_WHY]);
void sqlite_move_close(struct sqlite_move *); /* NULL is fine */

/* 0, or -errno. */
int sqlite_move_state(struct sqlite_move *, struct store_move *);
int sqlite_move_tag(struct sqlite_move *, char tag[ID_TAG_SIZE]);
int sqlite_move_load(struct sqlite_move *, struct move_rows *);
/* Durable on return, as a whole or not at all. */
int sqlite_move_set(struct sqlite_move *, const struct store_move *);
/* These rows take the place of all that there are; the tag is that of the move. Durable as above. -EBADMSG =
 * what was read back is not what was written. */
int sqlite_move_fill(struct sqlite_move *, const struct move_rows *, const struct store_move *);

#endif
