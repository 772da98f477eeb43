/*
 * confine.h - which fences of base/sandbox.h a gateway with this configuration lives behind.
 */
#ifndef JG_CONFINE_H
#define JG_CONFINE_H

#include "base/conf.h"

#define CONFINE_WHY_SIZE 256

/* Before there are threads: privileges and files. `keep_power`: with `sandbox = off` privileges stay. 0, or
 * -errno and why. */
int confine_start(const struct conf *, const char *conf_file, bool keep_power, char why[CONFINE_WHY_SIZE]);
/* When listeners are open, before the first request: the rest of the privileges and system calls. */
int confine_serve(const struct conf *, bool keep_power, char why[CONFINE_WHY_SIZE]);

#endif
