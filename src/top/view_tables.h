/*
 * view_tables.h - private to top/: the tables of the screen.
 *
 * Each writes its title at line `at` from column `left` on, and at most `rows` rows below it. Where there are
 * more, the title says how many are shown.
 */
#ifndef JG_TOP_VIEW_TABLES_H
#define JG_TOP_VIEW_TABLES_H

#include "top/view.h"

#define TABLE_OPERATIONS_WIDTH 58
#define TABLE_VAULTS_WIDTH     68
#define TABLE_GAP              3

void table_operations(struct screen *, const struct model *, size_t at, size_t left, size_t rows);
/* The vaults, those out of reach first, and the PRA site. */
void table_vaults(struct screen *, const struct model *, size_t at, size_t left, size_t rows);
void table_leases(struct screen *, struct view *, const struct sample *, int64_t now_wall_ms, size_t at,
                  size_t rows);
void table_errors(struct screen *, const struct sample *, size_t at, size_t rows);

#endif
