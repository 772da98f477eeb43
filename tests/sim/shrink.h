/*
 * shrink.h - a failing script made shorter: acts are left out as long as what is left still fails.
 *
 * Each try runs in a process of its own, so that a run that ends in a sanitizer's report is a failure like
 * any other.
 */
#ifndef JG_TESTS_SIM_SHRINK_H
#define JG_TESTS_SIM_SHRINK_H

#include "script.h"

/* Does the script fail? Its failure in words. */
bool shrink_fails(const struct script *, char failure[512]);
/* Replaces the script by a shorter one that fails too. */
void shrink(struct script *, const char *failure);

#endif
