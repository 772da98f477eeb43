/*
 * failing_openssl.h - how a call of OpenSSL fails: as for want of memory, with an error in the thread's
 * queue.
 */
#ifndef JG_TESTS_FAILING_OPENSSL_H
#define JG_TESTS_FAILING_OPENSSL_H

#include <openssl/err.h>

/* An error that the gateway leaves in the queue would be taken for one of a later call. */
#define REFUSED(result) (ERR_raise(ERR_LIB_USER, ERR_R_MALLOC_FAILURE), (result))

#endif
