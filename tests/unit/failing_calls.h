/*
 * failing_calls.h - a scenario in which each call to a library fails once.
 *
 * The linker puts a function of this fixture between the gateway and each call of the tables
 * failing_*.def. It counts the calls of a scenario, and lets one of them fail as the library would.
 * failing_calls_each() runs the scenario once for what is made once for the process, counts in a second run,
 * and then runs it once for each call.
 *
 * The quick form takes of the calls that are reached by the same way (the same functions on the stack) the
 * first. JG_FAILING_CALLS=all takes every call, and lets each with those after it fail too: memory that has
 * run out is often not back with the next call. JG_FAILING_CALLS=trace prints from where each call comes that
 * fails, and searches after each: the last one before a failure is the one. JG_FAILING_CALLS=reached runs
 * each scenario once, and prints the name of each call that it reaches; none fails.
 *
 * Calls of the tests and their fixtures never fail: their sources are compiled with plain_NAME for NAME
 * (failing.cmake). A function of the gateway that fixtures use has a row QUIET in a table, and nothing fails
 * below it. With AddressSanitizer each scenario ends with a search for memory that is lost.
 */
#ifndef JG_TESTS_FAILING_CALLS_H
#define JG_TESTS_FAILING_CALLS_H

#include <stdbool.h>

/* Calls fail between start and stop alone; a scenario starts and stops as often as it likes. */
void failing_calls_start(void);
void failing_calls_stop(void);

/* The scenario must end as if nothing had failed, or say what has failed: it checks that itself. */
void failing_calls_each(const char *name, void (*scenario)(void));

/*
 * For what is made once for the process, and which a run before would have made: without a first run in which
 * nothing fails. In each run the first call fails whose way has not failed yet, until a run has none.
 */
void failing_calls_first(const char *name, void (*scenario)(void));

/* ---- for the functions of the tables ---- */

bool failing_call(const char *name); /* this call fails */
/* Nothing fails in between; they nest. */
void failing_calls_pause(void);
void failing_calls_resume(void);

#endif
