/* SPDX-License-Identifier: Apache-2.0 */
/* failing_answers.c - the bodies of a scripted vault's answers: the rows of failing_answers.def. */
#include "failing_table.h"

#include "base/buf.h"

#include "failing_answers.def"
