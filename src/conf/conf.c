/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf.c - loads a configuration: read, check, assemble, digest.
 *
 *   file -> conf_read -> draft (sections, lines, notes) -> conf_check, conf_check_files -> struct conf
 *
 * The draft exists only here. A draft without errors becomes a struct conf, which takes over the memory of
 * its sections: a struct conf is complete or does not exist.
 *
 * Not here: the keys (conf_rows.c), the checks (conf_checks.h), the machinery (table/).
 */
#include "conf/conf_checks.h"
#include "conf/table/conf_objects.h"
#include "conf/table/conf_source.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- assembling ---- */

/* The name is the first member of every struct of a named section. */
static_assert(offsetof(struct conf_listener, name) == 0, "name comes first");
static_assert(offsetof(struct conf_client, name) == 0, "name comes first");
static_assert(offsetof(struct conf_vault, name) == 0, "name comes first");
static_assert(offsetof(struct conf_access, name) == 0, "name comes first");
static_assert(offsetof(struct conf_pra, name) == 0, "name comes first");

static int default_audit_file(struct conf_gateway *g)
{
    if (g->audit_file)
        return 0;
    if (asprintf(&g->audit_file, "%s/audit.jsonl", g->state_dir) < 0) {
        g->audit_file = NULL;
        return -ENOMEM;
    }
    return 0;
}

/* Moves the objects of the draft into `conf`. On -ENOMEM conf_free() frees the objects moved so far. */
static int take_all(struct conf_draft *d, struct conf *conf)
{
    conf_name_parts(d);
    int err = conf_take_part(d, SECTION_GATEWAY, &conf->gateway);
    if (err)
        return err;
    err = conf_take_part(d, SECTION_STORE, &conf->store);
    if (err)
        return err;
    conf->listeners = conf_take_parts(d, SECTION_LISTENER, &conf->nlisteners);
    conf->clients = conf_take_parts(d, SECTION_CLIENT, &conf->nclients);
    conf->vaults = conf_take_parts(d, SECTION_VAULT, &conf->nvaults);
    conf->accesses = conf_take_parts(d, SECTION_ACCESS, &conf->naccesses);
    conf->pras = conf_take_parts(d, SECTION_PRA, &conf->npras);
    if (!conf->listeners || !conf->clients || !conf->vaults || !conf->accesses || !conf->pras)
        return -ENOMEM;
    err = conf_store_default_node(&conf->store);
    return err ? err : default_audit_file(&conf->gateway);
}

static int assemble_conf(struct conf_draft *d, struct conf **out)
{
    struct conf *conf = calloc(1, sizeof(*conf));
    int err = conf ? take_all(d, conf) : -ENOMEM;

    if (!err)
        err = conf_digest_of(&conf_gateway_table, conf, conf->digest);
    if (err)
        conf_free(conf);
    else
        *out = conf;
    return err;
}

void conf_free(struct conf *conf)
{
    if (!conf)
        return;
    conf_clear_all(&conf_gateway_table, conf);
    free(conf->listeners);
    free(conf->clients);
    free(conf->vaults);
    free(conf->accesses);
    free(conf->pras);
    free(conf);
}

/* ---- loading ---- */

/* The [gateway] section alone, if `sound` is given. */
struct reading {
    enum conf_files files;
    bool *sound;
};

static int read_control(struct conf_draft *draft, const struct reading *how, struct conf **out,
                        struct buf *errors)
{
    int err = conf_control_take(draft, out, how->sound, errors);

    if (!err)
        err = default_audit_file(&(*out)->gateway);
    if (err) {
        conf_free(*out);
        *out = NULL;
    }
    return err;
}

static int read_conf(const char *path, const struct buf *text, const struct reading *how, struct conf **out,
                     struct buf *errors)
{
    struct conf_draft draft;
    int err = 0;

    conf_draft_init(&draft, &conf_gateway_table, path);
    conf_read(&draft, text->data ? text->data : "", text->len);
    if (how->sound) {
        err = read_control(&draft, how, out, errors);
        conf_draft_free(&draft);
        return err;
    }
    conf_check(&draft);
    conf_check_places(&draft);
    conf_check_files(&draft, how->files);
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

static int load(const char *path, const struct reading *how, struct conf **out, struct buf *errors)
{
    struct buf text = BUF_INIT(CONF_SOURCE_MAX);
    int err = conf_source_read(path, &text);

    bool unread = err != 0;

    if (!err)
        err = read_conf(path, &text, how, out, errors);
    if (unread || err == -ENOMEM)
        conf_source_complain(errors, path, err);
    buf_free(&text);
    return err;
}

int conf_load_files(const char *path, enum conf_files files, struct conf **out, struct buf *errors)
{
    return load(path, &(struct reading){.files = files}, out, errors);
}

int conf_load_control(const char *path, struct conf **out, bool *sound, struct buf *errors)
{
    *out = NULL;
    return load(path, &(struct reading){.sound = sound}, out, errors);
}

unsigned conf_line_of(const char *path, const char *section, const char *key)
{
    struct buf text = BUF_INIT(CONF_SOURCE_MAX);
    struct conf_draft draft;
    struct conf_part *part;
    char title[CONF_TITLE_SIZE], wanted[CONF_TITLE_SIZE];
    unsigned line = 0;

    (void)snprintf(wanted, sizeof(wanted), "[%s]", section);
    conf_draft_init(&draft, &conf_gateway_table, path);
    if (!conf_source_read(path, &text))
        conf_read(&draft, text.data ? text.data : "", text.len);
    TAILQ_FOREACH(part, &draft.parts, link)
    if (!line && strcmp(conf_part_title(part, title), wanted) == 0)
        line = conf_part_line(part, key);
    conf_draft_free(&draft);
    buf_free(&text);
    return line;
}

bool conf_log_json(const char *path)
{
    struct buf text = BUF_INIT(CONF_SOURCE_MAX);
    struct conf_draft draft;
    bool json = false;

    if (conf_source_read(path, &text) == 0) {
        conf_draft_init(&draft, &conf_gateway_table, path);
        conf_read(&draft, text.data ? text.data : "", text.len);
        const struct conf_part *part = conf_draft_next(&draft, SECTION_GATEWAY, NULL);
        json = part && ((const struct conf_gateway *)part->object)->log_json;
        conf_draft_free(&draft);
    }
    buf_free(&text);
    return json;
}

int conf_load(const char *path, struct conf **out, struct buf *errors)
{
    return conf_load_files(path, CONF_FILES_ALL, out, errors);
}
