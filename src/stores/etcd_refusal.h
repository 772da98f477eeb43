/*
 * etcd_refusal.h - what an operator is to do where etcd answers, and refuses.
 *
 * The causes are told apart by etcd's own words: several share one HTTP status, and versions differ in it.
 * Known are those that come from how etcd or [store] is set up; they stay until one of the two is changed.
 */
#ifndef JG_STORES_ETCD_REFUSAL_H
#define JG_STORES_ETCD_REFUSAL_H

#include <stdbool.h>

struct etcd_refusal {
    const char *cause, *remedy; /* half sentences, without an end */
    bool is_of_user;            /* of the sign-in, or of what the user may do */
};

/* `words`: the message of the answer. NULL = it is none of those that are known. */
const struct etcd_refusal *etcd_refusal_of(const char *words);

#endif
