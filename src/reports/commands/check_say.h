/*
 * check_say.h - one line of `check --connect`: `WHAT: TOPIC: ANSWER`.
 */
#ifndef JG_REPORTS_COMMANDS_CHECK_SAY_H
#define JG_REPORTS_COMMANDS_CHECK_SAY_H

#include <stdbool.h>

/* Returns `good`. */
bool check_say(bool good, const char *what, const char *topic, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#endif
