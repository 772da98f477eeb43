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

#endif
