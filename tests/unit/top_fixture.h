/*
 * top_fixture.h - the answers of a gateway, as `jumpgate top` takes them, and a model made of them.
 *
 * The gateway has three operations and two vaults (one out of reach), a PRA site, seven leases and three
 * errors; its names are of several scripts and directions. Between the first and the second sample two
 * seconds pass.
 */
#ifndef JG_TESTS_TOP_FIXTURE_H
#define JG_TESTS_TOP_FIXTURE_H

#include "top/model.h"

#define TOP_NOW_MS 1773135012000 /* 2026-03-10T09:30:12Z, when the second sample was taken */

/* Sample 0 or 1. */
struct sample *top_fixture_sample(int number);
/* Both taken. */
void top_fixture_model(struct model *);

extern const char top_fixture_status[], top_fixture_leases[];
/* The page of sample 0 or 1. */
const char *top_fixture_metrics(int number);

#endif
