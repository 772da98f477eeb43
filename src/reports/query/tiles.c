/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tiles.c - the table of tiles; see tiles.h. To add a tile: one row.
 *
 * A row with `dim` is counted from jg_tally where the frame's filters allow it: site and group. A tally
 * stands for the filters of its row, so those must say what store/tally.c counts there.
 */
#include "reports/query/tiles.h"

#include "base/jsonw.h"

#include <errno.h>

#define ATTEMPT "Credential%20Injection%20Attempt"
#define SECONDS "s.\"duration_seconds\""

/* The lower bounds that the tallies tell apart. */
static const struct tile_label durations[] = {
    {"<1 min", "0", "f.duration=le:59"},
    {"1-5 min", "60", "f.duration=between:60,299"},
    {"5-15 min", "300", "f.duration=between:300,899"},
    {"15-60 min", "900", "f.duration=between:900,3599"},
    {"1-4 h", "3600", "f.duration=between:3600,14399"},
    {"4-8 h", "14400", "f.duration=between:14400,28799"},
    {">=8 h", "28800", "f.duration=ge:28800"},
};
#define DURATION                                                                                             \
    "CASE WHEN " SECONDS " < 60 THEN '0' WHEN " SECONDS " < 300 THEN '60' WHEN " SECONDS                     \
    " < 900 THEN '300' WHEN " SECONDS " < 3600 THEN '900' WHEN " SECONDS                                     \
    " < 14400 THEN '3600' WHEN " SECONDS " < 28800 THEN '14400' WHEN " SECONDS " >= 28800 THEN '28800' END"

static const struct tile_label injections[] = {
    {"Attempts", "Credential Injection Attempt", "f.type=eq:" ATTEMPT},
    {"Failed", "Credential Injection Attempt Failed", "f.type=eq:" ATTEMPT "%20Failed"},
};

#define LABELS(l)             .labels = (l), .nlabels = sizeof(l) / sizeof(*(l))
#define MONTHS(name)          .dim = (name), .dim_of_site = "site_" name, .dim_column = "\"label\""
#define TALLY(name)           .dim = (name), .dim_column = "\"label\"", .dim_by_day = true
#define TALLY_OF(name, label) .dim = (name), .dim_column = "\"" label "\"", .dim_by_day = true

/* clang-format off */
static const struct tile tiles[] = {
    {"sessions_over_time", "Sessions over time", TILE_SERIES, "sessions", .flags = 0},
    {"running_now", "Running now", TILE_NUMBER, "sessions", .filters = "f.state=eq:running", .flags = TILE_ALL_TIME},
    {"by_site", "Sessions by site", TILE_BARS, "sessions", "site", TALLY_OF("all", "host_name")},
    {"by_jump_group", "Sessions by jump group", TILE_BARS, "sessions", "jump_group", TALLY_OF("all", "jump_group_name")},
    {"top_users", "Top users", TILE_TABLE, "sessions", "user", MONTHS("user"), .flags = TILE_SECONDS},
    {"top_endpoints", "Top endpoints", TILE_TABLE, "sessions", "endpoint", MONTHS("endpoint"), .flags = TILE_SECONDS},
    {"by_jumpoint", "Sessions by Jumpoint", TILE_BARS, "sessions", "jumpoint", TALLY("jumpoint")},
    {"by_type", "Sessions by jump item type", TILE_BARS, "sessions", "type", TALLY("type")},
    {"durations", "Session durations", TILE_BARS, "sessions", "duration", DURATION, .filters = "f.state=eq:closed",
     TALLY("duration"), LABELS(durations)},
    {"injections", "Credential injections", TILE_BARS, "events", "type",
     .all_filters = "f.type=in:" ATTEMPT "," ATTEMPT "%20Failed", TALLY("event"), LABELS(injections)},
    {"injection_failures", "Injection failures by reason", TILE_BARS, "events", "failure_reason",
     .filters = "f.type=eq:" ATTEMPT "%20Failed", TALLY("reason")},
    {"file_transfers", "File transfers", TILE_BARS, "events", "type", .all_filters = "f.type=starts:File%20", TALLY("event")},
    {"event_types", "Event types", TILE_BARS, "events", "type", TALLY("event")},
    {"outside_hours", "Outside working hours", TILE_BARS, "sessions", "user", .filters = "f.outside_hours=eq:true",
     TALLY("outside")},
    {"abnormal", "Closed abnormally", TILE_BARS, "sessions", "site", .filters = "f.state=eq:abnormal",
     TALLY_OF("abnormal", "host_name")},
    {"vault_activity", "Vault account activity", TILE_BARS, "vault_activity", "event_type", .flags = TILE_SITE_ONLY},
    {"unused_accounts", "Accounts never used", TILE_BARS, "accounts", "type",
     .filters = "f.gone_at=empty:&f.last_used=empty:", .flags = TILE_ALL_TIME | TILE_SITE_ONLY},
    {"config_changes", "Configuration changes", TILE_BARS, "syslog", "event", .filters = "f.config_change=eq:true",
     .flags = TILE_SITE_ONLY},
    {"checkouts_without_session", "Check-outs without a session", TILE_BARS, "credential_use", "user_name",
     .filters = "f.session_id=empty:&f.checkout=le:{unmatched}"},
    {"late_releases", "Late releases", TILE_BARS, "credential_use", "user_name", .filters = "f.late_seconds=ge:{late}"},
    {"failed_sign_ins", "Failed sign-ins", TILE_BARS, "syslog", "who", .filters = "f.event=eq:login&f.status=ne:success",
     .flags = TILE_SITE_ONLY},
    {"collector", "Collector", TILE_TABLE, .flags = TILE_ALL_TIME | TILE_SITE_ONLY},
};
/* clang-format on */
#define NTILES (sizeof(tiles) / sizeof(*tiles))

static const char *const kind_names[TILE_NKINDS] = {
    [TILE_NUMBER] = "number", [TILE_SERIES] = "series", [TILE_BARS] = "bars", [TILE_TABLE] = "table"};

int query_tile_named(const char *id)
{
    for (size_t i = 0; i < NTILES; i++)
        if (strcmp(tiles[i].id, id) == 0)
            return (int)i;
    return -1;
}

const struct tile *tile_named(const char *id)
{
    int i = id ? query_tile_named(id) : -1;

    return i < 0 ? NULL : &tiles[i];
}

int query_ntiles(void)
{
    return (int)NTILES;
}

const char *query_tile_id(int tile)
{
    return tiles[tile].id;
}

struct window tile_window(const struct query *q)
{
    return q->tile->flags & TILE_ALL_TIME ? (struct window){ALWAYS_FROM, ALWAYS_TO}
                                          : (struct window){q->from, q->to};
}

/* Texts of this file, so a mistake in one is a mistake of the program: a test adds them all. */
static enum query_outcome add_filters(struct query *q, const char *encoded, struct query_error *error)
{
    struct buf text = BUF_INIT(4096);
    enum query_outcome outcome = QUERY_OK;

    link_filters(&text, q, encoded);
    const char *written = buf_cstr(&text);
    char *copy = written ? (char *)record_text(&q->texts, written, strlen(written)) : NULL;
    buf_free(&text);
    if (!copy)
        return QUERY_NO_MEMORY;
    for (char *next, *pair = copy; pair && outcome == QUERY_OK; pair = next) {
        next = strchr(pair, '&');
        if (next)
            *next++ = '\0';
        if (*pair)
            outcome = filter_add_encoded(q, pair, error);
    }
    return outcome;
}

enum query_outcome tile_filters(struct query *q, struct query_error *error)
{
    enum query_outcome outcome = add_filters(q, q->tile->filters, error);

    return outcome == QUERY_OK ? add_filters(q, q->tile->all_filters, error) : outcome;
}

void tile_write_ignored(struct jsonw *w, const struct tile *t)
{
    jsonw_array(w, "ignores");
    if (t->flags & TILE_ALL_TIME)
        jsonw_str(w, NULL, "range");
    if (t->flags & TILE_SITE_ONLY) {
        jsonw_str(w, NULL, "group");
        jsonw_str(w, NULL, "user");
        jsonw_str(w, NULL, "endpoint");
    }
    jsonw_end(w);
}

int query_tiles(struct buf *json)
{
    struct jsonw w = jsonw_start(json);

    jsonw_object(&w, NULL);
    jsonw_array(&w, "tiles");
    for (size_t i = 0; i < NTILES; i++) {
        jsonw_object(&w, NULL);
        jsonw_str(&w, "id", tiles[i].id);
        jsonw_str(&w, "title", tiles[i].title);
        jsonw_str(&w, "kind", kind_names[tiles[i].kind]);
        jsonw_str(&w, "dataset", tiles[i].dataset);
        tile_write_ignored(&w, &tiles[i]);
        jsonw_end(&w);
    }
    jsonw_end(&w);
    jsonw_end(&w);
    return json->failed ? -ENOMEM : 0;
}
