/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reports_rig_postgresql.c - reports_rig.c on PostgreSQL: fixtures are compiled once for all programs.
 */
#define RIG_POSTGRESQL
#include "reports_rig.c" /* NOLINT(bugprone-suspicious-include) */
