/*
 * notify.h - messages to the service manager: ready, reloading, stopping, and that the loop runs.
 *
 * Under systemd with Type=notify these become sd_notify messages; without NOTIFY_SOCKET they do nothing. The
 * watchdog message is sent by a deadline of the loop at half the interval the manager asked for, so it stops
 * when the loop hangs, and without a watchdog no timer runs.
 */
#ifndef JG_LOOP_NOTIFY_H
#define JG_LOOP_NOTIFY_H

#include "loop/loop.h"

struct notify;

struct notify *notify_new(struct loop *); /* NULL = out of memory */
void notify_free(struct notify *);        /* NULL is fine */

/* Nothing depends on these messages: no result. */
void notify_ready(struct notify *);
void notify_reloading(struct notify *); /* notify_ready() ends it */
void notify_stopping(struct notify *);

#endif
