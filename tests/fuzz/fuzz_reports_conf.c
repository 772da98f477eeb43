/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_reports_conf.c - the configuration file of session reports; see conf_table.c.
 */
#include "fuzz.h"

#include "conf_table.h"
#include "reports/conf/reports_sections.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_conf_table(&reports_table, reports_check, data, size);
}
