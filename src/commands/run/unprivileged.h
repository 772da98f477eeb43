/*
 * unprivileged.h - the change from root to the gateway's own user.
 */
#ifndef JG_COMMANDS_RUN_UNPRIVILEGED_H
#define JG_COMMANDS_RUN_UNPRIVILEGED_H

#include "conf/conf.h"

#include <stdbool.h>

#define UNPRIVILEGED_WHY_SIZE 512

/* For a check of what the gateway's user may do: becomes `[gateway] user`, or where there is none the owner
 * of the state directory, if the process is root's and the user another one. Nothing is made. 0, or -errno
 * and `why`. */
int unprivileged_judge_as(const struct conf *, bool *changed, char why[UNPRIVILEGED_WHY_SIZE]);
/*
 * Changes to `[gateway] user` if one is configured; *changed says whether the user is another than before.
 * Then the state directory must belong to the present user. 0, or -errno and `why`.
 */
int unprivileged_become(const struct conf *, bool *changed, char why[UNPRIVILEGED_WHY_SIZE]);

#endif
