/*
 * plain_rank.h - how well a name fits what somebody typed, said the simple way: what system_entry_rank() is
 * compared with.
 */
#ifndef JG_TESTS_PLAIN_RANK_H
#define JG_TESTS_PLAIN_RANK_H

#include "broker/catalogue/system_entry.h"

enum match_rank plain_rank(const char *query, const char *name);

#endif
