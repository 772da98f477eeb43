/*
 * failing_table.h - the functions that stand for the calls of a table; each failing_LIBRARY.c includes it,
 * then its table.
 *
 *     CALL(result, name, (parameters), (arguments), what it returns when it fails)
 *     OWN(name)                                      - written out in failing_LIBRARY.c
 *     MACRO(name)                                    - the same; no fixture calls it: its header has a macro
 * in front of it NEVER(name)                                    - cannot fail: it looks, sets, frees, or
 * makes a constant QUIET(result, name, (parameters), (arguments)) - of the gateway, called by fixtures
 */
#ifndef JG_TESTS_FAILING_TABLE_H
#define JG_TESTS_FAILING_TABLE_H

#include "failing_calls.h"

#define CALL(result, name, parameters, arguments, failure)                                                   \
    result __real_##name parameters;                                                                         \
    result __wrap_##name parameters;                                                                         \
    result plain_##name parameters;                                                                          \
    result __wrap_##name parameters                                                                          \
    {                                                                                                        \
        return failing_call(#name) ? (failure) : __real_##name arguments;                                    \
    }                                                                                                        \
    result plain_##name parameters                                                                           \
    {                                                                                                        \
        return __real_##name arguments;                                                                      \
    }

#define QUIET(result, name, parameters, arguments)                                                           \
    result plain_##name parameters;                                                                          \
    result plain_##name parameters                                                                           \
    {                                                                                                        \
        failing_calls_pause();                                                                               \
        result quietly = name arguments;                                                                     \
        failing_calls_resume();                                                                              \
        return quietly;                                                                                      \
    }

#define OWN(name)
#define MACRO(name)
#define NEVER(name)

#endif
