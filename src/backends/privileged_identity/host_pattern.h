/*
 * host_pattern.h - the key `hosts` of an [access] section: patterns with * and ? over the names of an
 * endpoint.
 *
 * Both are folded (base/casefold.h), and lose a trailing dot and the brackets of an address. ? stands for one
 * letter. The pattern * fits every endpoint, also one without any name.
 */
#ifndef JG_BACKENDS_PRIVILEGED_IDENTITY_HOST_PATTERN_H
#define JG_BACKENDS_PRIVILEGED_IDENTITY_HOST_PATTERN_H

#include "conf/table/conf_kinds.h"

#include <stdbool.h>
#include <stddef.h>

struct host_patterns {
    bool any;
    struct conf_list folded;
};

struct host_forms {
    char **folded;
    size_t n;
};

/* Both: 0 or -ENOMEM; nothing is left to free then. */
int host_patterns_make(struct host_patterns *, const struct conf_list *hosts);
int host_forms_make(struct host_forms *, const char *const *forms, size_t n);
void host_patterns_free(struct host_patterns *);
void host_forms_free(struct host_forms *);

bool host_patterns_match(const struct host_patterns *, const struct host_forms *);

#endif
