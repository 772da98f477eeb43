/*
 * check.h - cmocka with the includes it needs, and how a test begins: TEST(name_of_the_behaviour) { ... }
 */
#ifndef JG_TESTS_CHECK_H
#define JG_TESTS_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

/* Which case of its table, or which run of its many, a test is at. */
static char case_text[256];

__attribute__((format(printf, 1, 2))) static inline void case_label(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(case_text, sizeof case_text, fmt, args);
    va_end(args);
}

/* A test that failed did not come back to clear its label: says it once, with what runs next or at the end.
 */
static inline void case_report(void)
{
    if (case_text[0])
        print_error("the test before failed in case: %s\n", case_text);
    case_text[0] = '\0';
}

__attribute__((destructor)) static inline void case_report_last(void)
{
    case_report();
}

/* A test; `state` is what its set-up made, and may be left unused. */
#define TEST(name)                                                                                           \
    static void name##_body(void **state);                                                                   \
    static void name(void **state)                                                                           \
    {                                                                                                        \
        case_report();                                                                                       \
        name##_body(state);                                                                                  \
        case_text[0] = '\0';                                                                                 \
    }                                                                                                        \
    static void name##_body(void **state __attribute__((unused)))

/* Lengths of time, in the milliseconds that the program counts in. */
#define SECONDS(n) ((n)*1000)
#define MINUTES(n) (SECONDS(n) * 60)
#define HOURS(n)   (MINUTES(n) * 60)

#endif
