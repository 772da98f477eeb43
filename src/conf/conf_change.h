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
 *   - clients may come and go: their array is exchanged whole. Listeners and vaults stay the same in number,
 *     name and order, since sockets and connections depend on them.
 *
 * A difference is named by its key: `gateway.log_level`, `client pra.rate`, `client pra (new)`. No value is
 * shown.
 */
#ifndef JG_CONF_CONF_CHANGE_H
#define JG_CONF_CONF_CHANGE_H

#include "conf/conf.h"

/* Longest text of each kind; what is beyond is cut. */
#define CONF_CHANGE_MAX 65536

struct conf_change {
    size_t changed, refused;
    struct buf names;   /* of what changes, separated by ", " */
    struct buf reasons; /* what only a restart can change, one line each, ended by '\n' */
};

/* 0 or -ENOMEM. The caller frees the result with conf_change_free() in both cases. */
int conf_compare(const struct conf *now, const struct conf *next, struct conf_change *);
void conf_change_free(struct conf_change *);

/* Exchanges the values; only after conf_compare() found nothing to refuse. */
void conf_exchange(struct conf *now, struct conf *next);

#endif
