/* SPDX-License-Identifier: Apache-2.0 */
/*
 * digest.c - SHA-256 by OpenSSL; see digest.h.
 *
 * SHA256() and EVP_sha256() look the algorithm up by its name in every call, under locks, and make and free a
 * context: together as much as hashing some hundred bytes. Here the algorithm is looked up once for the
 * process, or again where that has failed, and each thread keeps a context until it ends. SHA256() in its
 * place costs 7 % more instructions for a check-out with its release (docs/benchmarks.md).
 */
#include "base/digest.h"

#include <errno.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

static struct {
    pthread_once_t once;
    pthread_key_t context;
    atomic_bool has_key;
    _Atomic(EVP_MD *) sha256;
} kept = {.once = PTHREAD_ONCE_INIT};

static void on_thread_end(void *context)
{
    EVP_MD_CTX_free(context);
}

static void make_key(void)
{
    kept.has_key = pthread_key_create(&kept.context, on_thread_end) == 0;
}

/* Threads that look it up at the same time keep the first. NULL = out of memory. */
static EVP_MD *algorithm(void)
{
    EVP_MD *md = kept.sha256, *first = NULL;

    if (md)
        return md;
    md = EVP_MD_fetch(NULL, "SHA256", NULL);
    if (!md || atomic_compare_exchange_strong(&kept.sha256, &first, md))
        return md;
    EVP_MD_free(md);
    return first;
}

/* NULL = out of memory. */
static EVP_MD_CTX *own_context(void)
{
    EVP_MD_CTX *context = pthread_getspecific(kept.context);

    if (context)
        return context;
    context = EVP_MD_CTX_new();
    if (context && pthread_setspecific(kept.context, context) != 0) {
        EVP_MD_CTX_free(context);
        return NULL;
    }
    return context;
}

int digest_sha256(const void *bytes, size_t n, unsigned char out[DIGEST_SIZE])
{
    unsigned len = 0;

    (void)pthread_once(&kept.once, make_key);
    const EVP_MD *sha256 = kept.has_key ? algorithm() : NULL;
    EVP_MD_CTX *context = sha256 ? own_context() : NULL;
    if (context && EVP_DigestInit_ex2(context, sha256, NULL) == 1 &&
        EVP_DigestUpdate(context, bytes, n) == 1 && EVP_DigestFinal_ex(context, out, &len) == 1 &&
        len == DIGEST_SIZE)
        return 0;
    memset(out, 0, DIGEST_SIZE);
    return -ENOMEM;
}
