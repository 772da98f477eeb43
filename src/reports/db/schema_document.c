/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schema_document.c - docs/reports-sql.md, from the table of tables; see schema.h.
 */
#include "reports/db/schema.h"

static const char intro[] =
    "# SQL of the session reports\n"
    "\n"
    "This page is written from the tables of `src/reports/db/schema_tables.c`; a test compares the two.\n"
    "\n"
    "Tables without the prefix `jg_` have the names and columns of the vendor's Integration Client\n"
    "(database BGSessions), so that what reads that database reads this one. Column \"From\": `v` is named\n"
    "in the vendor's documents, `i` follows from the site's report, `o` is jumpgate's own.\n"
    "\n"
    "Types: `integer` has 64 bits, `boolean` is 0 or 1, `text(n)` is cut at n characters, `time` is UTC.\n"
    "A time is generated from its column of Unix seconds. Names of sites and session ids are in lower\n"
    "case. There are no foreign keys: the collector deletes the rows of a session together.\n"
    "\n"
    "`seq` is one number for the whole database. A new or changed row takes the next one in the writing\n"
    "transaction, and transactions commit in order: a reader of `seq > n` misses no row.\n";

/* They run as they are on each engine. */
static const char examples[] =
    "\n"
    "## Queries to begin with\n"
    "\n"
    "The file of SQLite is read beside the running program, as root with\n"
    "`sqlite3 -readonly /var/lib/jumpgate-reports/reports.db`; a server with the login `read_user`.\n"
    "\n"
    "```sql\n"
    "-- sessions of a user, oldest first\n"
    "SELECT host_name, lsid, start_time, duration, endpoint_name, state\n"
    "FROM session WHERE user_name = 'ann.rivera' ORDER BY start_unix;\n"
    "\n"
    "-- failed injections, with the site's reason\n"
    "SELECT s.user_name, s.endpoint_name, e.timestamp_unix, d.value AS reason\n"
    "FROM session_event e JOIN session s ON s.id = e.session_id\n"
    "LEFT JOIN session_event_data d ON d.session_event_id = e.id AND d.name = 'failure_reason'\n"
    "WHERE e.type = 'Credential Injection Attempt Failed' ORDER BY e.timestamp_unix;\n"
    "\n"
    "-- sessions and hours of each user, from the tallies: no session is read\n"
    "SELECT label AS user_name, sum(n) AS sessions, sum(seconds) / 3600 AS hours\n"
    "FROM jg_tally WHERE grain = 'm' AND dim = 'user' GROUP BY label ORDER BY sum(n) DESC;\n"
    "\n"
    "-- check-outs that belong to no session\n"
    "SELECT gateway, lease_id, user_name, \"system\", account, checkout_unix\n"
    "FROM jg_credential_use WHERE session_id IS NULL ORDER BY checkout_unix;\n"
    "\n"
    "-- what is new or changed since a `seq` that was read before\n"
    "SELECT seq, revision, host_name, lsid, state FROM session WHERE seq > 0 ORDER BY seq;\n"
    "```\n";

static const char *const kinds[] = {
    [COLUMN_ID] = "identity", [COLUMN_INT] = "integer", [COLUMN_BOOL] = "boolean",
    [COLUMN_TEXT] = "text",   [COLUMN_TIME] = "time",
};

static void write_table(const struct schema_table *t, struct buf *b)
{
    (void)buf_printf(b, "\n## %s\n\n%s\n\n| Column | Type | Null | From | Meaning |\n| - | - | - | - | - |\n",
                     t->name, t->text);
    for (size_t i = 0; i < t->ncolumns; i++) {
        const struct schema_column *c = &t->columns[i];

        (void)buf_printf(b, "| `%s` | %s", c->name, kinds[c->kind]);
        if (c->size)
            (void)buf_printf(b, "(%d)", c->size);
        (void)buf_printf(b, " | %s | %c | %s |\n", c->null ? "yes" : "", (int)c->origin, c->text);
    }
    if (t->key)
        (void)buf_printf(b, "\nPrimary key: `%s`.\n", t->key);
}

void schema_document(struct buf *b)
{
    static const char *const when[] = {
        [INDEX_OURS] = "always",
        [INDEX_VENDOR_ALWAYS] = "always; the vendor's",
        [INDEX_VENDOR] = "`vendor_indexes`",
        [INDEX_VENDOR_EVENT] = "`vendor_indexes`; absent while a large backlog is read",
    };

    (void)buf_str(b, intro);
    (void)buf_str(b, examples);
    for (size_t i = 0; i < schema_ntables; i++)
        write_table(&schema_tables[i], b);
    (void)buf_str(
        b, "\n## Indexes\n\n| Index | Table | Columns | Only where | Built |\n| - | - | - | - | - |\n");
    for (size_t i = 0; i < schema_nindexes; i++) {
        const struct schema_index *x = &schema_indexes[i];

        (void)buf_printf(b, "| `%s` | `%s` | %s`%s`%s%s%s | %s%s%s | %s |\n", x->name, x->table,
                         x->unique ? "unique " : "", x->columns, x->more ? "; SQLite also `" : "",
                         x->more ? x->more : "", x->more ? "`" : "", x->where ? "`" : "",
                         x->where ? x->where : "", x->where ? "`" : "", when[x->kind]);
    }
}
