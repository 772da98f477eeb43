/*
 * conf_compare.h - what differs between two configurations of one program, and whether a reload may take it.
 *
 * A difference is named by its key: `gateway.log_level`, `client pra.rate`, `client pra (new)`. No value is
 * shown. The contents of files that keys name are not compared: their users read them again at each reload.
 *
 *   conf_compare_begin -> conf_compare_one, _fixed, _free for each kind of section -> conf_change_free
 */
#ifndef JG_CONF_TABLE_CONF_COMPARE_H
#define JG_CONF_TABLE_CONF_COMPARE_H

#include "conf/table/conf_table.h"

/* Longest text of each kind; what is beyond is cut. */
#define CONF_CHANGE_MAX 65536

struct conf_change {
    const struct conf_table *table;
    size_t changed, refused;
    struct buf names;   /* of what changes, separated by ", " */
    struct buf reasons; /* what only a restart can change, one line each, ended by '\n' */
};

void conf_compare_begin(struct conf_change *, const struct conf_table *);
/* All: 0 or -ENOMEM. A section without a name. */
int conf_compare_one(struct conf_change *, unsigned section, const void *now, const void *next);
/* Sections that must be the same in number, name and order, or the whole kind is refused. */
int conf_compare_fixed(struct conf_change *, unsigned section, const void *now, size_t nnow, const void *next,
                       size_t nnext);
/* Sections that may come and go. */
int conf_compare_free(struct conf_change *, unsigned section, const void *now, size_t nnow, const void *next,
                      size_t nnext);
void conf_change_free(struct conf_change *);

#endif
