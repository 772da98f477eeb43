/*
 * check_sites.h - what the sites of a configuration answer: token, permissions, clock.
 */
#ifndef JG_REPORTS_COMMANDS_CHECK_SITES_H
#define JG_REPORTS_COMMANDS_CHECK_SITES_H

#include "reports/conf/reports_conf.h"

#include <stdbool.h>

/* Asks every site that is enabled. False: one does not answer as it should. */
bool check_connect_sites(const struct reports_conf *);

#endif
