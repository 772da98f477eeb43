/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf.c - loads a configuration: read, check, assemble, digest.
 *
 *   file -> conf_read -> draft (sections, lines, notes) -> conf_check, conf_check_files -> struct conf
 *
 * The draft exists only here. A draft without errors becomes a struct conf, which takes over the memory of
 * its sections: a struct conf is complete or does not exist. The digest covers every key of every section in
 * the order of the table and in canonical form: comments, the order of keys and explicit defaults do not
 * change it.
 *
 * Not here: the keys (conf_table.c), the checks (conf_check.c, conf_files.c), printing (conf_print.c).
 */
#include "base/digest.h"
#include "base/text.h"
#include "base/utf8.h"
#include "conf/conf_draft.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX (1024 * 1024UL)

/* ---- the file ---- */

/* Reads all of it. 0, -errno, -EMSGSIZE over FILE_MAX. */
static int read_all(int fd, struct buf *text)
{
    char chunk[8192];
    ssize_t n;

    while ((n = read(fd, chunk, sizeof(chunk))) != 0) {
        int err;
        if (n < 0 && errno == EINTR)
            continue;
        err = n < 0 ? -errno : buf_append(text, chunk, (size_t)n);
        if (err)
            return err;
    }
    return 0;
}

static int read_file(const char *path, struct buf *text)
{
    int fd =
        open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK); /* a pipe without a writer does not block */
    struct stat st;
    int err;

    if (fd < 0)
        return -errno;
    err = fstat(fd, &st)        ? -errno
          : S_ISREG(st.st_mode) ? read_all(fd, text)
          : S_ISDIR(st.st_mode) ? -EISDIR
                                : -EMEDIUMTYPE;
    close(fd);
    return err;
}

/* ---- assembling ---- */

static size_t count_parts(struct conf_draft *d, enum conf_section section)
{
    size_t n = 0;

    for (struct conf_part *p = conf_draft_next(d, section, NULL); p; p = conf_draft_next(d, section, p))
        n++;
    return n;
}

/* Moves the objects of one kind from their parts into an array. NULL when out of memory. */
static void *take_parts(struct conf_draft *d, enum conf_section section, size_t *n)
{
    size_t size = conf_sections[section].size, count = count_parts(d, section), i = 0;
    char *array = calloc(count ? count : 1, size);

    if (!array)
        return NULL;
    for (struct conf_part *p = conf_draft_next(d, section, NULL); p; p = conf_draft_next(d, section, p)) {
        memcpy(array + i++ * size, p->object, size);
        free(p->object);
        p->object = NULL;
    }
    *n = count;
    return array;
}

/* The name is the first member of every struct of a named section. */
static_assert(offsetof(struct conf_listener, name) == 0, "name comes first");
static_assert(offsetof(struct conf_client, name) == 0, "name comes first");
static_assert(offsetof(struct conf_vault, name) == 0, "name comes first");
static_assert(offsetof(struct conf_pra, name) == 0, "name comes first");

static void name_parts(struct conf_draft *d)
{
    struct conf_part *part;

    TAILQ_FOREACH(part, &d->parts, link)
    if (conf_sections[part->section].named)
        memcpy(part->object, part->name, sizeof(part->name));
}

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
    struct conf_part *gateway = conf_draft_next(d, SECTION_GATEWAY, NULL);

    name_parts(d);
    if (!gateway)
        gateway = conf_draft_add(d, SECTION_GATEWAY, "", 0);
    if (!gateway)
        return -ENOMEM;
    memcpy(&conf->gateway, gateway->object, sizeof(conf->gateway));
    free(gateway->object);
    gateway->object = NULL;
    conf->listeners = take_parts(d, SECTION_LISTENER, &conf->nlisteners);
    conf->clients = take_parts(d, SECTION_CLIENT, &conf->nclients);
    conf->vaults = take_parts(d, SECTION_VAULT, &conf->nvaults);
    conf->pras = take_parts(d, SECTION_PRA, &conf->npras);
    if (!conf->listeners || !conf->clients || !conf->vaults || !conf->pras)
        return -ENOMEM;
    return default_audit_file(&conf->gateway);
}

/* ---- all sections of a finished configuration ---- */

typedef void visit_fn(enum conf_section, const char *name, void *object, void *arg);

static void visit_rows(struct conf *conf, visit_fn *fn, void *arg)
{
    fn(SECTION_GATEWAY, "", &conf->gateway, arg);
    for (size_t i = 0; i < conf->nlisteners; i++)
        fn(SECTION_LISTENER, conf->listeners[i].name, &conf->listeners[i], arg);
    for (size_t i = 0; i < conf->nclients; i++)
        fn(SECTION_CLIENT, conf->clients[i].name, &conf->clients[i], arg);
    for (size_t i = 0; i < conf->nvaults; i++)
        fn(SECTION_VAULT, conf->vaults[i].name, &conf->vaults[i], arg);
    for (size_t i = 0; i < conf->npras; i++)
        fn(SECTION_PRA, conf->pras[i].name, &conf->pras[i], arg);
}

static void visit_print(enum conf_section section, const char *name, void *object, void *arg)
{
    struct buf *out = arg;

    (void)buf_printf(out, "[%s %s]\n", conf_sections[section].name, name);
    for (size_t i = 0; i < conf_nrows; i++)
        if (conf_rows[i].section == section) {
            (void)buf_printf(out, "%s=", conf_rows[i].name);
            conf_rows[i].type->print(&conf_rows[i], object, out);
            (void)buf_char(out, '\n');
        }
}

static int make_digest(struct conf *conf)
{
    struct buf text = BUF_INIT(16 * FILE_MAX);
    unsigned char sum[DIGEST_SIZE];

    visit_rows(conf, visit_print, &text);
    int err = text.failed ? -ENOMEM : digest_sha256(text.data, text.len, sum);
    if (!err)
        text_hex(conf->digest, sum, sizeof(sum));
    buf_free(&text);
    return err;
}

static int assemble_conf(struct conf_draft *d, struct conf **out)
{
    struct conf *conf = calloc(1, sizeof(*conf));
    int err = conf ? take_all(d, conf) : -ENOMEM;

    if (!err)
        err = make_digest(conf);
    if (err)
        conf_free(conf);
    else
        *out = conf;
    return err;
}

static void visit_clear(enum conf_section section, const char *name, void *object, void *arg)
{
    (void)name;
    (void)arg;
    for (size_t i = 0; i < conf_nrows; i++)
        if (conf_rows[i].section == section)
            conf_rows[i].type->clear(&conf_rows[i], object);
}

void conf_free(struct conf *conf)
{
    if (!conf)
        return;
    visit_rows(conf, visit_clear, NULL);
    free(conf->listeners);
    free(conf->clients);
    free(conf->vaults);
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

    conf_draft_init(&draft, path);
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

static void complain(struct buf *errors, const char *path, const char *what, const char *why)
{
    utf8_visible(errors, path, strlen(path));
    (void)buf_printf(errors, ": %s%s\n", what, why);
}

static int load(const char *path, const struct reading *how, struct conf **out, struct buf *errors)
{
    struct buf text = BUF_INIT(FILE_MAX);
    int err = read_file(path, &text);

    if (err == -EMSGSIZE)
        complain(errors, path, "longer than a configuration may be", "");
    else if (err)
        complain(errors, path,
                 "cannot read: ", err == -EMEDIUMTYPE ? "it is no regular file" : strerror(-err));
    else
        err = read_conf(path, &text, how, out, errors);
    if (err == -ENOMEM)
        complain(errors, path, "out of memory", "");
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
    struct buf text = BUF_INIT(FILE_MAX);
    struct conf_draft draft;
    struct conf_part *part;
    char title[CONF_TITLE_SIZE], wanted[CONF_TITLE_SIZE];
    unsigned line = 0;

    (void)snprintf(wanted, sizeof(wanted), "[%s]", section);
    conf_draft_init(&draft, path);
    if (!read_file(path, &text))
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
    struct buf text = BUF_INIT(FILE_MAX);
    struct conf_draft draft;
    bool json = false;

    if (read_file(path, &text) == 0) {
        conf_draft_init(&draft, path);
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
