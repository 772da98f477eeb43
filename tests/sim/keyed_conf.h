/*
 * keyed_conf.h - how a gateway is configured for the vault of keyed_vault.h.
 */
#ifndef JG_TESTS_SIM_KEYED_CONF_H
#define JG_TESTS_SIM_KEYED_CONF_H

#include "script.h"

#include "base/buf.h"

/* Its sections, of the vault and of the map; `secret`: the path of a file. */
void keyed_conf_write(struct buf *, const struct setup *, const char *secret);
/* The credential id of the account. */
void keyed_conf_credential(unsigned account, char *out, size_t size);

#endif
