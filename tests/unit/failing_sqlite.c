/* SPDX-License-Identifier: Apache-2.0 */
/* failing_sqlite.c - SQLite's calls that can fail: the rows of failing_sqlite.def. */
#include "failing_table.h"

#include <sqlite3.h>
#include <stddef.h>

#include "failing_sqlite.def"
