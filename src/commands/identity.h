/*
 * identity.h - as whom the gateway runs.
 */
#ifndef JG_COMMANDS_IDENTITY_H
#define JG_COMMANDS_IDENTITY_H

#include "base/conf.h"

#include <stdbool.h>

#define IDENTITY_WHY_SIZE 512

/*
 * Becomes `[gateway] user` where one is configured; *changed says whether it is another than before. Then,
 * whoever it is, the state directory must be its own. False: `why`.
 */
bool identity_take(const struct conf *, bool *changed, char why[IDENTITY_WHY_SIZE]);

#endif
