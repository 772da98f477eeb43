/*
 * sandbox_policy.h - the sandbox (base/sandbox.h) of a gateway with this configuration.
 */
#ifndef JG_COMMANDS_RUN_SANDBOX_POLICY_H
#define JG_COMMANDS_RUN_SANDBOX_POLICY_H

#include "commands/run/passed_sockets.h"
#include "conf/conf.h"

#define SANDBOX_POLICY_WHY_SIZE 256

/* Before the first thread: restricts capabilities and files. `keep_capabilities`: with `sandbox = off`
 * capabilities are kept. Listeners with a passed socket need neither. 0, or -errno and why. */
int sandbox_policy_start(const struct conf *, const struct passed_sockets *, const char *conf_file,
                         bool keep_capabilities, char why[SANDBOX_POLICY_WHY_SIZE]);
/* With open listeners, before the first request: drops the other capabilities, restricts system calls. */
int sandbox_policy_serve(const struct conf *, bool keep_capabilities, char why[SANDBOX_POLICY_WHY_SIZE]);

#endif
