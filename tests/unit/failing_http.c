/* SPDX-License-Identifier: Apache-2.0 */
/* failing_http.c - the bodies of the application of http_rig.c: the rows of failing_http.def. */
#include "failing_table.h"

#include "base/buf.h"

#include "failing_http.def"
