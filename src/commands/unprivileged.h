/*
 * unprivileged.h - the change from root to the gateway's own user.
 */
#ifndef JG_COMMANDS_UNPRIVILEGED_H
#define JG_COMMANDS_UNPRIVILEGED_H

#include "conf/conf.h"

#include <stdbool.h>

#define UNPRIVILEGED_WHY_SIZE 512

/*
 * Changes to `[gateway] user` if one is configured; *changed says whether the user is another than before.
 * Then the state directory must belong to the present user. 0, or -errno and `why`.
 */
int unprivileged_become(const struct conf *, bool *changed, char why[UNPRIVILEGED_WHY_SIZE]);

#endif
