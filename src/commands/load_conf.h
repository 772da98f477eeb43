/*
 * load_conf.h - a configuration that a gateway could use: read, and held against what only the kinds of vault
 * know.
 */
#ifndef JG_COMMANDS_LOAD_CONF_H
#define JG_COMMANDS_LOAD_CONF_H

#include "conf/conf.h"

/* As conf_load(). Lines about other files begin with the name of that file. */
int load_usable_conf(const char *path, struct conf **out, struct buf *lines);

#endif
