/*
 * sandbox_policy.h - which fences of base/sandbox.h a gateway with this configuration lives behind.
 */
#ifndef JG_COMMANDS_SANDBOX_POLICY_H
#define JG_COMMANDS_SANDBOX_POLICY_H

#include "conf/conf.h"

#define SANDBOX_POLICY_WHY_SIZE 256

/* Before there are threads: privileges and files. `keep_power`: with `sandbox = off` privileges stay. 0, or
 * -errno and why. */
int sandbox_policy_start(const struct conf *, const char *conf_file, bool keep_power,
                         char why[SANDBOX_POLICY_WHY_SIZE]);
/* When listeners are open, before the first request: the rest of the privileges and system calls. */
int sandbox_policy_serve(const struct conf *, bool keep_power, char why[SANDBOX_POLICY_WHY_SIZE]);

#endif
