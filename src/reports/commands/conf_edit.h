/*
 * conf_edit.h - the file of a configuration changed by a command: exchanged as a whole, in one rename, with
 * its owner and mode.
 */
#ifndef JG_REPORTS_COMMANDS_CONF_EDIT_H
#define JG_REPORTS_COMMANDS_CONF_EDIT_H

#include "base/buf.h"

/* Links are followed. 0, or -errno and the file is as it was. */
int conf_edit_replace(const char *path, const struct buf *text);

#endif
