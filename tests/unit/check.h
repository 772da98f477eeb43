/*
 * check.h - cmocka with the includes it needs, and how a test begins: TEST(name_of_the_behaviour) { ... }
 */
#ifndef JG_TESTS_CHECK_H
#define JG_TESTS_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* A test; `state` is what its set-up made, and may be left unused. */
#define TEST(name) static void name(void **state __attribute__((unused)))

/* Lengths of time, in the milliseconds that the program counts in. */
#define SECONDS(n) ((n)*1000)
#define MINUTES(n) (SECONDS(n) * 60)
#define HOURS(n)   (MINUTES(n) * 60)

#endif
