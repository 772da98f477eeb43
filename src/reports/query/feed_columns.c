/* SPDX-License-Identifier: Apache-2.0 */
/*
 * feed_columns.c - the datasets of the feed and the columns of their records; see feed_internal.h.
 *
 * Columns come from the schema's tables, so a new one is in the feed by its row there. Left out are URLs,
 * which are signed keys, and what changes without a new revision.
 */
#include "reports/query/feed_internal.h"

#include <errno.h>
#include <string.h>

#define SELECT_MAX (16 * 1024)

static const struct feed_part session_parts[] = {
    {"representatives", "representative", "session_id", SHAPE_ROWS, NULL},
    {"customers", "customer", "session_id", SHAPE_ROWS, NULL},
    {"custom_attributes", "custom_attribute", "session_id", SHAPE_ROWS, NULL},
    {"event_types", "session_event", "session_id", SHAPE_COUNTS, NULL},
};

static const struct feed_part event_parts[] = {
    {"data", "session_event_data", "session_event_id", SHAPE_PAIRS, NULL},
    {"system_information", "system_information", "session_event_id", SHAPE_ROWS, "session_id"},
};

#define PARTS(p) .parts = (p), .nparts = sizeof(p) / sizeof(*(p))

static const struct feed_source sources[FEED_NDATASETS] = {
    [FEED_SESSIONS] = {.name = "sessions",
                       .table = "session",
                       .omit = "fetched_at",
                       .from = "\"session\" t",
                       .session = "t",
                       .position = "0",
                       .id = "t.\"id\"",
                       PARTS(session_parts),
                       .mapped = "lsid start_time start_unix end_time end_unix duration_seconds "
                                 "user_name endpoint_name state revision seq changed_at"},
    [FEED_EVENTS] = {.name = "events",
                     .table = "session_event",
                     .of_session = "host_name lsid revision seq user_name endpoint_name jump_group_name",
                     .from = "\"session\" s JOIN \"session_event\" t ON t.\"session_id\" = s.\"id\"",
                     .session = "s",
                     .position = "t.\"position\"",
                     .id = "t.\"id\"",
                     PARTS(event_parts),
                     .mapped = "lsid revision seq timestamp timestamp_unix type"},
    [FEED_ACCOUNTS] = {.name = "accounts",
                       .table = "jg_vault_account",
                       .from = "\"jg_vault_account\" t",
                       .session = "t",
                       .position = "0",
                       .id = "0",
                       .mapped = "account_id type name username seq changed_at"},
    [FEED_SYSLOG] = {.name = "syslog",
                     .table = "jg_syslog_event",
                     .from = "\"jg_syslog_event\" t",
                     .session = "t",
                     .position = "0",
                     .id = "0",
                     .json = "data",
                     .mapped = "digest timestamp_unix seq"},
};

const char *feed_dataset_name(enum feed_dataset dataset)
{
    return sources[dataset].name;
}

bool feed_dataset_named(const char *name, enum feed_dataset *dataset)
{
    for (int i = 0; i < FEED_NDATASETS; i++) {
        if (strcmp(sources[i].name, name) == 0) {
            *dataset = (enum feed_dataset)i;
            return true;
        }
    }
    return false;
}

bool feed_has_word(const char *words, const char *word)
{
    size_t n = strlen(word);

    for (const char *p = words; p && *p; p += strcspn(p, " ") + (p[strcspn(p, " ")] != '\0'))
        if (strcspn(p, " ") == n && memcmp(p, word, n) == 0)
            return true;
    return false;
}

bool feed_is_url(const char *column)
{
    size_t n = strlen(column);

    return n >= 4 && strcmp(column + n - 4, "_url") == 0;
}

static enum feed_kind kind_of(const struct schema_column *c, const struct feed_source *source)
{
    static const enum feed_kind kinds[] = {[COLUMN_ID] = FEED_INT,
                                           [COLUMN_INT] = FEED_INT,
                                           [COLUMN_BOOL] = FEED_BOOL,
                                           [COLUMN_TEXT] = FEED_TEXT,
                                           [COLUMN_TIME] = FEED_TIME};

    return source->json && strcmp(source->json, c->name) == 0 ? FEED_JSON : kinds[c->kind];
}

static struct feed_column *add_column(struct feed_layout *l, const char *name)
{
    if (l->ncolumns == FEED_COLUMNS_MAX) {
        l->select.failed = true;
        l->ncolumns--;
    }
    struct feed_column *c = &l->columns[l->ncolumns++];
    *c = (struct feed_column){.name = name, .mapped = feed_has_word(l->source->mapped, name)};
    return c;
}

static void add_columns(struct feed_layout *l, const char *table, const char *prefix, const char *only)
{
    const struct schema_table *t = schema_table(table);

    for (size_t i = 0; i < t->ncolumns; i++) {
        const struct schema_column *s = &t->columns[i];

        if ((only ? !feed_has_word(only, s->name) : feed_has_word(l->source->omit, s->name)) ||
            feed_is_url(s->name))
            continue;
        struct feed_column *c = add_column(l, s->name);
        c->kind = kind_of(s, l->source);
        c->place = FEED_FIRST + (int)l->ncolumns - 1;
        (void)buf_printf(&l->select, ", %s.\"%s\"", prefix, s->from ? s->from : s->name);
    }
}

int feed_layout_init(struct feed_layout *l, enum feed_dataset dataset)
{
    const struct feed_source *source = &sources[dataset];

    *l = (struct feed_layout){.dataset = dataset, .source = source, .select = BUF_INIT(SELECT_MAX)};
    (void)buf_printf(&l->select, "SELECT %s.\"seq\", %s, %s", source->session, source->position, source->id);
    if (source->of_session)
        add_columns(l, "session", source->session, source->of_session);
    add_columns(l, source->table, "t", NULL);
    for (size_t i = 0; i < source->nparts; i++) {
        struct feed_column *c = add_column(l, source->parts[i].name);
        c->kind = FEED_PART;
        c->place = (int)i;
    }
    if (!l->select.failed && buf_cstr(&l->select))
        return 0;
    feed_layout_free(l);
    return -ENOMEM;
}

void feed_layout_free(struct feed_layout *l)
{
    buf_free(&l->select);
}
