/* SPDX-License-Identifier: Apache-2.0 */
/* failing_uv.c - libuv's calls that can fail: the rows of failing_uv.def. */
#include "failing_table.h"

#include <uv.h>

#include "failing_uv.def"
