/*
 * conf_edit.h - the file of a configuration changed by a command: exchanged as a whole, in one rename, with
 * its owner and mode.
 */
#ifndef JG_REPORTS_COMMANDS_CONF_EDIT_H
#define JG_REPORTS_COMMANDS_CONF_EDIT_H

#include "base/buf.h"

/* Commands that change this configuration exclude each other until conf_edit_unlock(): what is read with the
 * lock is what is replaced. A descriptor, or -errno. */
int conf_edit_lock(const char *path);
void conf_edit_unlock(int lock); /* also of an error */
/* Links are followed. 0, or -errno and the file is as it was. */
int conf_edit_replace(const char *path, const struct buf *text);

#endif
