/*
 * ask.h - asks a running gateway for what `jumpgate top` shows, over its control socket.
 *
 * Life: top_ask_new() -> calls, one at a time, from one thread -> top_ask_free(). The state directory is
 * opened by the first call, and again after a call that failed: a gateway may go away and come back.
 */
#ifndef JG_COMMANDS_TOP_ASK_H
#define JG_COMMANDS_TOP_ASK_H

#include "top/sample.h"

#include <stdatomic.h>

#define TOP_WHY_SIZE 320

struct top_ask;

/* A call ends soon after *stop has become true. NULL = out of memory. */
struct top_ask *top_ask_new(const char *state_dir, const atomic_bool *stop);
void top_ask_free(struct top_ask *); /* NULL is fine */
/* A new sample, or NULL and why. *err is -errno: -ECONNREFUSED where no gateway listens, -EACCES where this
 * user may not ask. */
struct sample *top_ask_sample(struct top_ask *, int *err, char why[TOP_WHY_SIZE]);
/* Releases the lease; `said` is what became of it, in words. */
void top_ask_release(struct top_ask *, const char *lease_id, char said[TOP_WHY_SIZE]);

#endif
