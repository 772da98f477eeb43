/*
 * digest.h - SHA-256 of a text that is there as a whole, and is no secret.
 */
#ifndef JG_BASE_DIGEST_H
#define JG_BASE_DIGEST_H

#include <stddef.h>

#define DIGEST_SIZE 32

/* 0, or -ENOMEM; `out` is all zero then. Any thread may call it. */
int digest_sha256(const void *bytes, size_t n, unsigned char out[DIGEST_SIZE])
    __attribute__((warn_unused_result));

#endif
