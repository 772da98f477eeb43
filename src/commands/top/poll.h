/*
 * poll.h - a thread that asks the gateway, so that the screen never waits for an answer.
 *
 * Life: top_poll_start() -> take, timing, release -> top_poll_stop(). The thread asks once in an interval,
 * and at once for a release, after which it asks for a new sample. What it has learned waits until it is
 * taken; a newer sample replaces one that was not.
 */
#ifndef JG_COMMANDS_TOP_POLL_H
#define JG_COMMANDS_TOP_POLL_H

#include "commands/top/ask.h"

#include <stdbool.h>

struct top_poll;

struct top_news {
    struct sample *sample;   /* the caller's; NULL = none is new */
    bool is_away;            /* the last call failed: */
    char away[TOP_WHY_SIZE]; /* why */
    char said[TOP_WHY_SIZE]; /* what became of a release; "" = nothing new */
};

/* `state_dir` outlives it. The thread takes no signals. NULL = out of memory or threads. */
struct top_poll *top_poll_start(const char *state_dir, double interval_s);
/* A descriptor that can be read while there is something to take. */
int top_poll_fd(const struct top_poll *);
void top_poll_take(struct top_poll *, struct top_news *);
void top_poll_timing(struct top_poll *, double interval_s, bool paused);
void top_poll_release(struct top_poll *, const char *lease_id);
/* A call in progress is given up within about a second. NULL is fine. */
void top_poll_stop(struct top_poll *);

#endif
