/*
 * params.h - the names and values of a query or of a form body, decoded.
 */
#ifndef SIM_PARAMS_H
#define SIM_PARAMS_H

#include <stddef.h>

#define PARAMS_MAX 32

/* name=value&name=value; names are asked in any letter case. */
struct params {
    char *store;
    size_t size, n;
    struct {
        const char *name, *value;
    } param[PARAMS_MAX];
};

/* 0, -ENOMEM, -EINVAL (bad escape, too many). NULL text = none. */
int params_read(struct params *, const char *text, size_t len);
const char *params_get(const struct params *, const char *name); /* NULL = absent */
void params_free(struct params *);                               /* wipes: forms hold secrets */

#endif
