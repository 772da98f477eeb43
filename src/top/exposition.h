/*
 * exposition.h - reads a /metrics page (Prometheus text 0.0.4) as the gateway writes it.
 *
 * The page is a list of samples; a reader walks over them and takes those it knows. Comments and lines that
 * are no sample are passed over.
 */
#ifndef JG_TOP_EXPOSITION_H
#define JG_TOP_EXPOSITION_H

#include <stdbool.h>
#include <stddef.h>

#define EXPOSITION_NAME   96
#define EXPOSITION_LABELS 8
#define EXPOSITION_VALUE  96 /* bytes of a label's value that are kept, the NUL included */

struct exposition_label {
    char name[32], value[EXPOSITION_VALUE];
};

struct exposition_sample {
    char name[EXPOSITION_NAME];
    struct exposition_label labels[EXPOSITION_LABELS];
    size_t nlabels;
    double value; /* may be infinite or no number */
};

/*
 * The next sample at *page, which ends with a NUL; moves *page behind it. False = there is none left. A
 * sample with a longer name, more labels or a longer value than fits is passed over.
 */
bool exposition_next(const char **page, struct exposition_sample *);
/* The value of a label; "" = the sample does not have it. */
const char *exposition_label(const struct exposition_sample *, const char *name);

#endif
