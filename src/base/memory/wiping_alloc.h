/*
 * wiping_alloc.h - a realloc() and a free() that wipe, for libraries whose memory is not ours to place.
 *
 * OpenSSL and libcurl copy what passes through them into buffers of their own. They get these functions, so
 * that nothing of it survives in memory that was given back. Any thread may call them.
 */
#ifndef JG_BASE_MEMORY_WIPING_ALLOC_H
#define JG_BASE_MEMORY_WIPING_ALLOC_H

#include <stddef.h>

void *wiping_realloc(void *p, size_t n); /* allocate, copy, wipe: what is outgrown does not stay */
void wiping_free(void *p);               /* wipes the whole block */

/* Makes OpenSSL use them; before anything else of OpenSSL. 0 or -EBUSY (too late). */
int wiping_alloc_give_openssl(void);

#endif
