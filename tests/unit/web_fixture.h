/*
 * web_fixture.h - a rig, a browser and its last answer, new for each WEB_TEST() of the program that includes
 * this.
 */
#ifndef JG_TESTS_WEB_FIXTURE_H
#define JG_TESTS_WEB_FIXTURE_H

#include "web_rig.h"

#include <string.h>

static struct web_rig rig;
static struct browser b;
static struct answer a;

static int setup(void **state)
{
    (void)state;
    web_rig_init(&rig);
    memset(&b, 0, sizeof(b));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    browser_close(&b);
    web_rig_end(&rig);
    return 0;
}

#define WEB_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
