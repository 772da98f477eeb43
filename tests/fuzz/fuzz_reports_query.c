/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_reports_query.c - the query of a URL, on a database without rows.
 *
 * First byte: which call, of which dataset or tile. Then the query.
 *
 * Promises: what is refused has a reason, and the same text is refused again; what is taken makes statements
 * that SQLite takes, and the answer is JSON; an export of it ends.
 */
#include "fuzz.h"

#include "base/json.h"
#include "base/utf8.h"
#include "reports/db/schema.h"
#include "reports/query/query.h"

#include <string.h>

static const char *const datasets[] = {"sessions",  "events", "vault_activity", "accounts", "jump_items",
                                       "jumpoints", "syslog", "credential_use", "team"};
#define NDATASETS (sizeof(datasets) / sizeof(*datasets))

static const char *const hosts[] = {"pra.example.com"};
static struct db *db;

/* Once, with all tables. */
static void open_database(void)
{
    const struct db_params params = {.path = ":memory:"};
    struct db_error error;
    struct buf said = BUF_INIT(65536);

    if (db)
        return;
    FUZZ_ASSERT(db_sqlite.open(&params, &db, &error) == DB_OK);
    FUZZ_ASSERT(schema_migrate(db, 0, false, false, &said) == DB_OK);
    buf_free(&said);
}

static void export(const struct query *q, enum query_format format)
{
    struct buf piece = BUF_INIT(1 << 20);
    struct query_export *x;
    bool more = true;

    FUZZ_ASSERT(query_export_open(db, q, format, &x) == QUERY_OK);
    FUZZ_ASSERT(query_export_next(x, &piece, &more) == QUERY_OK && !more);
    query_export_close(x);
    buf_free(&piece);
}

static void run(enum query_call call, const struct query *q)
{
    struct buf json = BUF_INIT(8 << 20);
    enum query_outcome outcome = QUERY_OK;

    switch (call) {
    case QUERY_TILE: outcome = query_tile(db, q, &json, NULL); break;
    case QUERY_RECORDS: outcome = query_records(db, q, &json, NULL); break;
    case QUERY_VALUES: outcome = query_values(db, q, "site", &json, NULL); break;
    case QUERY_SESSION:
        FUZZ_ASSERT(query_session(db, q, hosts[0], "lsid", &json, NULL) == QUERY_NOT_FOUND);
        break;
    case QUERY_EVENTS:
        FUZZ_ASSERT(query_session_events(db, q, hosts[0], "lsid", &json, NULL) == QUERY_NOT_FOUND);
        break;
    case QUERY_EXPORT:
        export(q, QUERY_CSV);
        export(q, QUERY_NDJSON);
        break;
    case QUERY_NCALLS: break;
    }
    if (outcome != QUERY_OK)
        fprintf(stderr, "%s\n", db->error.text);
    FUZZ_ASSERT(outcome == QUERY_OK);
    FUZZ_ASSERT(!json.len || !json_check(json.data, json.len, 16, 0));
    buf_free(&json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = fuzz_input(data, size);
    unsigned pick = fuzz_byte(&in);
    const struct query_context ctx = {.now = 1801785600,
                                      .time_zone = "Europe/Berlin",
                                      .hosts = hosts,
                                      .nhosts = 1,
                                      .all_hosts = pick & 1,
                                      .late_release = 300,
                                      .unmatched_after = 3600};
    enum query_call call = (enum query_call)(pick / 2 % QUERY_NCALLS);
    const char *name = call == QUERY_TILE ? query_tile_id((int)(pick / 12) % query_ntiles())
                       : call == QUERY_SESSION || call == QUERY_EVENTS ? NULL
                       : call == QUERY_VALUES                          ? datasets[pick / 12 % 2]
                                                                       : datasets[pick / 12 % NDATASETS];
    char *text = fuzz_string(&in);
    open_database();
    struct query_error error, again;
    struct query *q, *second;
    enum query_outcome outcome = query_parse(call, name, text, &ctx, &q, &error);

    FUZZ_ASSERT(query_parse(call, name, text, &ctx, &second, &again) == outcome);
    query_free(second);
    FUZZ_ASSERT(outcome != QUERY_NOT_FOUND && outcome != QUERY_NO_MEMORY && outcome != QUERY_DATABASE);
    FUZZ_ASSERT((outcome == QUERY_OK) == !*error.why);
    FUZZ_ASSERT(utf8_valid(error.parameter, strlen(error.parameter)));
    if (outcome == QUERY_OK)
        run(call, q);
    query_free(q);
    free(text);
    return 0;
}
