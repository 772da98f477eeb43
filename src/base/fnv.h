/*
 * fnv.h - the hash FNV-1a of 64 bits, byte by byte: for tables, and for shares that all gateways reckon
 * alike. It is no protection against names that were chosen to collide.
 */
#ifndef JG_BASE_FNV_H
#define JG_BASE_FNV_H

#include <stdint.h>

#define FNV_START UINT64_C(14695981039346656037)

static inline uint64_t fnv_byte(uint64_t h, unsigned char c)
{
    return (h ^ c) * UINT64_C(1099511628211);
}

#endif
