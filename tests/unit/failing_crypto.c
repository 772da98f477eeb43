/* SPDX-License-Identifier: Apache-2.0 */
/* failing_crypto.c - libcrypto's calls that can fail: the rows of failing_crypto.def. */
#include "failing_openssl.h"
#include "failing_table.h"

#include <openssl/kdf.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <string.h>

#include "failing_crypto.def"

/* Of keys on a curve, which is the argument behind. */
EVP_PKEY *__real_EVP_PKEY_Q_keygen(OSSL_LIB_CTX *lib, const char *wanted, const char *type, ...);
EVP_PKEY *__wrap_EVP_PKEY_Q_keygen(OSSL_LIB_CTX *lib, const char *wanted, const char *type, ...);
EVP_PKEY *__wrap_EVP_PKEY_Q_keygen(OSSL_LIB_CTX *lib, const char *wanted, const char *type, ...)
{
    va_list args;

    va_start(args, type);
    const char *curve = strcmp(type, "EC") == 0 ? va_arg(args, const char *) : NULL;
    va_end(args);
    return !curve || failing_call("EVP_PKEY_Q_keygen") ? REFUSED(NULL)
                                                       : __real_EVP_PKEY_Q_keygen(lib, wanted, type, curve);
}

EVP_PKEY *plain_EVP_PKEY_Q_keygen(OSSL_LIB_CTX *lib, const char *wanted, const char *type, ...);
EVP_PKEY *plain_EVP_PKEY_Q_keygen(OSSL_LIB_CTX *lib, const char *wanted, const char *type, ...)
{
    va_list args;

    va_start(args, type);
    const char *curve = strcmp(type, "EC") == 0 ? va_arg(args, const char *) : NULL;
    va_end(args);
    return curve ? __real_EVP_PKEY_Q_keygen(lib, wanted, type, curve) : NULL;
}
