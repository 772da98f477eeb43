/* SPDX-License-Identifier: Apache-2.0 */
/* failing_fakes.c - rows and lists for the fake store and the fake vault: the rows of failing_fakes.def. */
#include "failing_table.h"

#include "backends/backend.h"
#include "base/memory/secret.h"
#include "stores/store_rows.h"

#include "failing_fakes.def"
