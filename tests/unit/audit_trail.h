/*
 * audit_trail.h - an audit trail on a real disk, for tests: a directory of its own, and the verifier's
 * result.
 */
#ifndef JG_TESTS_AUDIT_TRAIL_H
#define JG_TESTS_AUDIT_TRAIL_H

#include "audit/audit_verify.h"

struct audit_trail {
    char dir[64], file[96], head[96];
    char said[4096]; /* what the verifier last reported, one line each */
    struct audit_summary sum;
};

void audit_trail_make(struct audit_trail *);
void audit_trail_remove(struct audit_trail *);
/* The path of another file in the directory. */
const char *audit_trail_path(const struct audit_trail *, const char *name, char out[128]);
/* Verifies the file, or the other one and then the file; with the head. Returns the defects. */
uint64_t audit_trail_verify(struct audit_trail *, const char *older);
/* The whole file as a text; the next call replaces it. */
const char *audit_trail_text(const char *path);

#endif
