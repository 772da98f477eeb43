/*
 * unprivileged.h - as whom the gateway runs.
 */
#ifndef JG_COMMANDS_UNPRIVILEGED_H
#define JG_COMMANDS_UNPRIVILEGED_H

#include "conf/conf.h"

#include <stdbool.h>

#define UNPRIVILEGED_WHY_SIZE 512

/*
 * Becomes `[gateway] user` where one is configured; *changed says whether it is another than before. Then,
 * whoever it is, the state directory must be its own. False: `why`.
 */
bool unprivileged_become(const struct conf *, bool *changed, char why[UNPRIVILEGED_WHY_SIZE]);

#endif
