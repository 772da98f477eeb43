/*
 * zip.h - writes a ZIP archive into a buffer, sound or wrong in a way that is asked for.
 */
#ifndef PRA_SIM_ZIP_H
#define PRA_SIM_ZIP_H

#include "base/buf.h"

#include <stdint.h>

struct zip {
    struct buf *out;
    struct buf directory;
    unsigned members;
    bool stored;    /* members are not deflated */
    bool wrong_crc; /* of the members */
    bool encrypted; /* members say so; they are not */
    bool big_sizes; /* members announce 4 GB */
};

struct zip zip_start(struct buf *out);
void zip_add(struct zip *, const char *name, const void *bytes, size_t n);
/* A member of n zeros; as a .gz file with `gzip`. */
void zip_add_zeros(struct zip *, const char *name, uint64_t n, bool gzip);
void zip_end(struct zip *);
/* A gzip file of the bytes. */
void zip_gzip(struct buf *out, const void *bytes, size_t n);

#endif
