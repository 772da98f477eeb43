/*
 * check.h - cmocka with its odd includes in order.
 */
#ifndef JG_TESTS_CHECK_H
#define JG_TESTS_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
