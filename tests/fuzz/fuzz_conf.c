/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_conf.c - the gateway's configuration file; see conf_table.c.
 */
#include "fuzz.h"

#include "conf/conf_checks.h"
#include "conf_table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_conf_table(&conf_gateway_table, conf_check, data, size);
}
