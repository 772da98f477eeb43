/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake_collect.c - in place of the collector, whose state the web shows: the tests of the web have none.
 */
#include "check.h"
#include "reports/collect/collect.h"

const struct collect_state *collect_state(struct collector *collector)
{
    fail_msg("there is no collector: %p", (void *)collector);
    return NULL;
}

const char *collect_word_name(enum collect_word word)
{
    static const char *const names[COLLECT_NWORDS] = {"Pending", "Connected", "Action Required", "Off"};

    return names[word];
}

const char *collect_source_name(enum collect_source source)
{
    (void)source;
    return "closed";
}

const char *collect_activity_name(enum collect_activity activity)
{
    (void)activity;
    return "idle";
}
