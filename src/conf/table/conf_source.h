/*
 * conf_source.h - the bytes of a configuration: read whole, from a regular file of sane size.
 */
#ifndef JG_CONF_TABLE_CONF_SOURCE_H
#define JG_CONF_TABLE_CONF_SOURCE_H

#include "base/buf.h"

#define CONF_SOURCE_MAX (8 * 1024 * 1024UL)

/* `text` is empty, with CONF_SOURCE_MAX as its limit. 0, -errno, -EMSGSIZE when it is longer, -EMEDIUMTYPE
 * for what is no regular file. */
int conf_source_read(const char *path, struct buf *text);
/* One line about such an error. */
void conf_source_complain(struct buf *errors, const char *path, int err);

#endif
