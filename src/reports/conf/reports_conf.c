/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reports_conf.c - loads the configuration of session reports: read, check, assemble, fill in what follows
 * from other keys, digest.
 *
 * The draft exists only here. A draft without errors becomes a struct reports_conf, which takes over the
 * memory of its sections: it is complete or does not exist.
 *
 * Not here: the keys (reports_rows.c), the checks (reports_check.c, reports_files.c), the machinery
 * (conf/table).
 */
#include "base/address.h"
#include "conf/table/conf_compare.h"
#include "conf/table/conf_objects.h"
#include "conf/table/conf_source.h"
#include "reports/conf/reports_sections.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The name is the first member of every struct of a named section. */
static_assert(offsetof(struct reports_site, name) == 0, "name comes first");
static_assert(offsetof(struct reports_gateway, name) == 0, "name comes first");
static_assert(offsetof(struct reports_user, name) == 0, "name comes first");
static_assert(offsetof(struct reports_reader, name) == 0, "name comes first");

/* ---- what follows from other keys ---- */

static int __attribute__((format(printf, 2, 3))) set_absent(char **text, const char *fmt, ...)
{
    va_list ap;
    int n;

    if (*text)
        return 0;
    va_start(ap, fmt);
    n = vasprintf(text, fmt, ap);
    va_end(ap);
    if (n < 0)
        *text = NULL;
    return n < 0 ? -ENOMEM : 0;
}

static int complete_site(struct reports_site *s, const struct reports_main *m)
{
    char why[ADDRESS_WHY_SIZE];
    struct address_url url = {.host = ""};
    int err;

    if (s->url)
        (void)address_split_url(s->url, &url, why);
    err = set_absent(&s->host_name, "%s", url.host);
    if (!err)
        err = set_absent(&s->time_zone, "%s", m->time_zone);
    if (!err)
        err = set_absent(&s->working_hours, "%s", m->working_hours);
    return err;
}

static int complete_all(struct reports_conf *conf)
{
    const struct reports_main *m = &conf->reports;
    int err = set_absent(&conf->reports.audit_file, "%s/audit.jsonl", m->state_dir);

    if (!err)
        err = set_absent(&conf->database.path, "%s/reports.db", m->state_dir);
    if (!err && conf->web.address.text)
        err = set_absent(&conf->web.public_url, "https://%s", conf->web.address.text);
    for (size_t i = 0; i < conf->nsites && !err; i++)
        err = complete_site(&conf->sites[i], m);
    return err;
}

/* ---- assembling ---- */

/* Moves the objects of the draft into `conf`. On -ENOMEM reports_conf_free() frees those moved so far. */
static int take_all(struct conf_draft *d, struct reports_conf *conf)
{
    conf_name_parts(d);
    if (conf_take_part(d, REPORTS_MAIN, &conf->reports) ||
        conf_take_part(d, REPORTS_DATABASE, &conf->database) || conf_take_part(d, REPORTS_WEB, &conf->web))
        return -ENOMEM;
    conf->sites = conf_take_parts(d, REPORTS_PRA, &conf->nsites);
    conf->gateways = conf_take_parts(d, REPORTS_GATEWAY, &conf->ngateways);
    conf->users = conf_take_parts(d, REPORTS_USER, &conf->nusers);
    conf->readers = conf_take_parts(d, REPORTS_READER, &conf->nreaders);
    if (!conf->sites || !conf->gateways || !conf->users || !conf->readers)
        return -ENOMEM;
    return complete_all(conf);
}

static int assemble_conf(struct conf_draft *d, struct reports_conf **out)
{
    struct reports_conf *conf = calloc(1, sizeof(*conf));
    int err = conf ? take_all(d, conf) : -ENOMEM;

    if (!err)
        err = conf_digest_of(&reports_table, conf, conf->digest);
    if (err)
        reports_conf_free(conf);
    else
        *out = conf;
    return err;
}

void reports_conf_free(struct reports_conf *conf)
{
    if (!conf)
        return;
    conf_clear_all(&reports_table, conf);
    free(conf->sites);
    free(conf->gateways);
    free(conf->users);
    free(conf->readers);
    free(conf);
}

/* ---- loading ---- */

static bool is_of_database(const struct conf_row *row)
{
    return row->section == REPORTS_DATABASE;
}

static int read_conf(const char *path, const struct buf *text, enum reports_files files,
                     struct reports_conf **out, struct buf *errors)
{
    struct conf_draft draft;
    int err = 0;

    conf_draft_init(&draft, &reports_table, path);
    if (files == REPORTS_FILES_DATABASE)
        draft.uses_file = is_of_database;
    conf_read(&draft, text->data ? text->data : "", text->len);
    reports_check(&draft);
    reports_check_files(&draft);
    conf_draft_print(&draft, errors);
    if (draft.nomem)
        err = -ENOMEM;
    else if (draft.errors)
        err = -EINVAL;
    else
        err = assemble_conf(&draft, out);
    conf_draft_free(&draft);
    return err;
}

int reports_conf_load(const char *path, enum reports_files files, struct reports_conf **out,
                      struct buf *errors)
{
    struct buf text = BUF_INIT(CONF_SOURCE_MAX);
    int err = conf_source_read(path, &text);
    bool unread = err != 0;

    *out = NULL;
    if (!err)
        err = read_conf(path, &text, files, out, errors);
    if (unread || err == -ENOMEM)
        conf_source_complain(errors, path, err);
    buf_free(&text);
    return err;
}

bool reports_conf_log_json(const char *path)
{
    struct buf text = BUF_INIT(CONF_SOURCE_MAX);
    struct conf_draft draft;
    bool json = false;

    if (conf_source_read(path, &text) == 0) {
        conf_draft_init(&draft, &reports_table, path);
        conf_read(&draft, text.data ? text.data : "", text.len);
        const struct conf_part *part = conf_draft_next(&draft, REPORTS_MAIN, NULL);
        json = part && ((const struct reports_main *)part->object)->log_json;
        conf_draft_free(&draft);
    }
    buf_free(&text);
    return json;
}

/* ---- a reload ---- */

int reports_conf_compare(const struct reports_conf *now, const struct reports_conf *next,
                         struct conf_change *c)
{
    int err;

    conf_compare_begin(c, &reports_table);
    err = conf_compare_one(c, REPORTS_MAIN, &now->reports, &next->reports);
    if (!err)
        err = conf_compare_free(c, REPORTS_PRA, now->sites, now->nsites, next->sites, next->nsites);
    if (!err)
        err = conf_compare_free(c, REPORTS_GATEWAY, now->gateways, now->ngateways, next->gateways,
                                next->ngateways);
    if (!err)
        err = conf_compare_one(c, REPORTS_DATABASE, &now->database, &next->database);
    if (!err)
        err = conf_compare_one(c, REPORTS_WEB, &now->web, &next->web);
    if (!err)
        err = conf_compare_free(c, REPORTS_USER, now->users, now->nusers, next->users, next->nusers);
    if (!err)
        err =
            conf_compare_free(c, REPORTS_READER, now->readers, now->nreaders, next->readers, next->nreaders);
    return err;
}
