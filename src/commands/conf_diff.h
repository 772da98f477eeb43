/*
 * conf_diff.h - what a reload would change: a configuration against the one that a running gateway uses.
 */
#ifndef JG_COMMANDS_CONF_DIFF_H
#define JG_COMMANDS_CONF_DIFF_H

#include "base/json.h"
#include "conf/conf.h"

#define CONF_DIFF_WHY 256

/* Asks the gateway of that state directory for its configuration: 0 and *out (cJSON_Delete() it), or -errno
 * and why; -ECONNREFUSED: no gateway runs. */
int conf_diff_ask(const char *state_dir, cJSON **out, char why[CONF_DIFF_WHY]);
/* Has one of its listeners that address? */
bool conf_diff_listens(const cJSON *running, const char *address);
/* Prints the differences key by key. EXIT_DONE, or EXIT_FAILED when out of memory. */
int conf_diff_print(const struct conf *, const cJSON *running);

#endif
