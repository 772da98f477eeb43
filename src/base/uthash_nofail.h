/*
 * uthash_nofail.h - uthash as this program uses it: running out of memory is reported, not the end of the
 * program.
 *
 * After HASH_ADD the element's hh.tbl is NULL when there was no memory for it. FNV is fine for keys of some
 * dozen bytes, and is the one that clang reads without complaint.
 */
#ifndef JG_BASE_UTHASH_NOFAIL_H
#define JG_BASE_UTHASH_NOFAIL_H

#define HASH_NONFATAL_OOM                    1
#define HASH_FUNCTION(keyptr, keylen, hashv) HASH_FNV(keyptr, keylen, hashv)

#include <uthash.h>

#endif
