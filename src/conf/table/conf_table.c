/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf_table.c - finding a row; see conf_table.h.
 */
#include "conf/table/conf_table.h"

#include <string.h>

const struct conf_row *conf_row_find(const struct conf_table *table, unsigned section, const char *name)
{
    for (size_t i = 0; i < table->nrows; i++)
        if (table->rows[i].section == section && strcmp(table->rows[i].name, name) == 0)
            return &table->rows[i];
    return NULL;
}
