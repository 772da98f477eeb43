/*
 * seen_trail.h - the audit trail of a world: its check-outs as they become durable, and its files as the code
 * of `audit verify` judges them.
 */
#ifndef JG_TESTS_SIM_SEEN_TRAIL_H
#define JG_TESTS_SIM_SEEN_TRAIL_H

#include "vdisk.h"
#include "world.h"

struct seen_trail;

struct seen_trail *seen_trail_new(struct node *);
void seen_trail_free(struct seen_trail *);

/* So much of a file of the trail is durable; *seen: of how much this was said before. */
void seen_trail_durable(struct seen_trail *, const char *bytes, size_t n, size_t *seen, bool attempts_kept);
/* So much of a file is visible at a start, or durable: ends of leases and requests (ends.h). */
void seen_trail_found(struct seen_trail *, const char *bytes, size_t n, size_t *seen);
bool seen_trail_has_checkout(const struct seen_trail *, const char *lease_id);
/* All files of the trail, the oldest first: is the chain sound but for what a crash explains, does it have
 * each check-out that was durable? Breaks a promise if not. */
void seen_trail_check(struct seen_trail *, struct vdisk *, const char *state_dir);
/* Gives the trail's file another name, as logrotate does. */
void seen_trail_rotate(struct seen_trail *, struct vdisk *, const char *state_dir);

#endif
