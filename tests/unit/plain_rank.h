/*
 * plain_rank.h - how well a name fits a query, computed the simple way: system_entry_rank() is compared with
 * it.
 */
#ifndef JG_TESTS_PLAIN_RANK_H
#define JG_TESTS_PLAIN_RANK_H

#include "broker/catalogue/system_entry.h"

enum match_rank plain_rank(const char *query, const char *name);

#endif
