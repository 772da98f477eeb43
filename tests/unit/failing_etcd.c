/* SPDX-License-Identifier: Apache-2.0 */
/* failing_etcd.c - calls of src/base that can fail, for cluster_rig.h: the rows of failing_etcd.def. */
#include "failing_table.h"

#include "base/memory/secret.h"
#include "cluster_rig.h"

#include <errno.h>

#include "failing_etcd.def"
