/*
 * conf_change.h - from the configuration in use to the next one: what differs, and the exchange.
 *
 * A reload loads a second struct conf, compares the two, prepares whatever may fail, and then exchanges the
 * values in place. A `const struct conf *`, or a pointer to one of its listeners or vaults, keeps its address
 * and shows the new values; the old values move into the second struct, which is kept until no operation can
 * still read them. So:
 *
 *   - no file keeps a text of a configuration (a char *) for longer than one operation;
 *   - a file that has copied a value has a function that takes the next one;
 *   - clients and [access] sections may come and go: their arrays are exchanged whole. Listeners and vaults
 * stay the same in number, name and order, since sockets and connections depend on them.
 */
#ifndef JG_CONF_CONF_CHANGE_H
#define JG_CONF_CONF_CHANGE_H

#include "conf/conf.h"
#include "conf/table/conf_compare.h"

/* 0 or -ENOMEM. The caller frees the result with conf_change_free() in both cases. */
int conf_compare(const struct conf *now, const struct conf *next, struct conf_change *);

/* Exchanges the values; only after conf_compare() found nothing to refuse. */
void conf_exchange(struct conf *now, struct conf *next);

#endif
