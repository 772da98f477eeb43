/*
 * choice.h - which leases a command means: the filters of `jumpgate leases list` and `release --all`.
 *
 * The gateway (or, offline, the store's reader) compares user, session and state; the other filters are
 * compared here, on each lease of the answer. A lease is chosen by what is known of it also after a restart.
 */
#ifndef JG_COMMANDS_LEASES_CHOICE_H
#define JG_COMMANDS_LEASES_CHOICE_H

#include "broker/broker.h"
#include "commands/line/command_line.h"

struct leases_choice {
    struct lease_filter filter;
    const char *vault;   /* the section of the vault; NULL = any */
    int64_t older_ms;    /* begun at least so long ago */
    bool overdue;        /* past their end */
    int64_t now_wall_ms; /* both are counted from here */
};

/* From the command's flags. 0, or the exit code after saying what is wrong. */
int leases_choice_read(const struct command_args *, struct leases_choice *);
/* Is the lease meant, by the filters that are not in `filter`? */
bool leases_choice_fits(const struct leases_choice *, const struct lease_view *);

#endif
