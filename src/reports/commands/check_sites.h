/*
 * check_sites.h - what the sites of a configuration answer: token, permissions, clock.
 */
#ifndef JG_REPORTS_COMMANDS_CHECK_SITES_H
#define JG_REPORTS_COMMANDS_CHECK_SITES_H

#include "reports/conf/reports_conf.h"

#include <stdbool.h>

/* Asks every site that is enabled. False: one does not answer as it should. */
bool check_sites(const struct reports_conf *);
/* One line, `WHAT: TOPIC: …`. Returns `good`. */
bool check_say(bool good, const char *what, const char *topic, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#endif
