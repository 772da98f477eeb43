/* SPDX-License-Identifier: Apache-2.0 */
/* failing_crypto.c - libcrypto's calls that can fail: the rows of failing_crypto.def. */
#include "failing_table.h"

#include <openssl/rand.h>

#include "failing_crypto.def"
