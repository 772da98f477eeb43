/* SPDX-License-Identifier: Apache-2.0 */
/* failing_base.c - calls of src/base that can fail: the rows of failing_base.def. */
#include "failing_table.h"

#include "base/memory/secret.h"
#include "base/timers.h"

#include <errno.h>

#include "failing_base.def"
