/* SPDX-License-Identifier: Apache-2.0 */
/*
 * profile_file.c - the file that replaces rows of a profile; see profile.h.
 *
 * The file is read by the machinery of the configuration (conf/table) with a table of its own: a section for
 * each operation and one for the texts. A row of the file is laid over the built-in row, and the result is
 * judged as one: what of it is missing may be in either.
 *
 * The profile changes as a whole or not at all.
 */
#include "backends/privileged_identity/profile.h"
#include "conf/table/conf_draft.h"
#include "conf/table/conf_rules.h"
#include "conf/table/conf_source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SECTION_TEXTS PI_NOPERATIONS
#define WORDS_MAX     64
#define PATH_LETTERS  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~/-"

/* A section of an operation as it is written. */
struct written {
    bool post, header;
    char *path, *body, *answer, *ok;
};

struct texts {
    struct conf_list words[PI_NCLASSES];
};

/* ---- the types of its keys ---- */

static int path_parse(const struct conf_row *row, const char *text, void *object, char why[CONF_WHY_SIZE])
{
    if (*text &&
        (text[strspn(text, PATH_LETTERS)] || *text == '/' || strstr(text, "..") || strstr(text, "//")))
        return conf_refuse(
            why, "needs the name of a call below the base of the profile, such as DoLogin2: without a "
                 "slash before it, without query, of A-Z a-z 0-9 . _ ~ / -");
    return conf_text_set(row, object, text);
}

static int body_parse(const struct conf_row *row, const char *text, void *object, char why[CONF_WHY_SIZE])
{
    cJSON *tree = pi_body_parse((enum pi_operation)row->section, text, why, CONF_WHY_SIZE);

    if (!tree)
        return *why ? -EINVAL : -ENOMEM;
    cJSON_Delete(tree);
    return conf_text_set(row, object, text);
}

static int answer_parse(const struct conf_row *row, const char *text, void *object, char why[CONF_WHY_SIZE])
{
    size_t n = strlen(text);

    if (n && (*text == '.' || text[n - 1] == '.' || strstr(text, "..")))
        return conf_refuse(why,
                           "needs the name of a member, or names with a dot between them where it is nested; "
                           "empty for a bare JSON string");
    return conf_text_set(row, object, text);
}

static int ok_parse(const struct conf_row *row, const char *text, void *object, char why[CONF_WHY_SIZE])
{
    const char *equals = strchr(text, '=');

    if (equals == text || (equals && !equals[1]))
        return conf_refuse(why, "needs MEMBER or MEMBER=VALUE");
    return conf_text_set(row, object, text);
}

#define TYPE(name, title, parser)                                                                            \
    static const struct conf_type name = {                                                                   \
        .what = (title), .parse = (parser), .print = conf_text_print, .clear = conf_text_clear}
TYPE(type_path, "path", path_parse);
TYPE(type_body, "JSON object", body_parse);
TYPE(type_answer, "member", answer_parse);
TYPE(type_ok, "condition", ok_parse);

/* ---- its table ---- */

#define KEY(op, key, member, ...)                                                                            \
    {                                                                                                        \
        .section = (op), .name = (key), .offset = offsetof(struct written, member),                          \
        .size = sizeof(((struct written *)0)->member), __VA_ARGS__                                           \
    }
#define OPERATION(op)                                                                                        \
    KEY(op, "method", post, .type = &conf_choice, .choices = "GET POST"),                                    \
        KEY(op, "path", path, .type = &type_path, .flags = CONF_EMPTY),                                      \
        KEY(op, "body", body, .type = &type_body),                                                           \
        KEY(op, "answer", answer, .type = &type_answer, .flags = CONF_EMPTY),                                \
        KEY(op, "token", header, .type = &conf_choice, .choices = "body header"),                            \
        KEY(op, "ok", ok, .type = &type_ok)
#define WORDS(class, key)                                                                                    \
    {                                                                                                        \
        .section = SECTION_TEXTS, .name = (key), .type = &conf_quoted, .max = WORDS_MAX,                     \
        .offset = offsetof(struct texts, words) + (class) * sizeof(struct conf_list),                        \
        .size = sizeof(struct conf_list)                                                                     \
    }

static const struct conf_row rows[] = {
    OPERATION(PI_SIGN_IN),
    OPERATION(PI_SIGN_OUT),
    OPERATION(PI_CHECKOUT_STORED),
    OPERATION(PI_CHECKIN_STORED),
    OPERATION(PI_CHECKOUT_SHARED),
    OPERATION(PI_CHECKIN_SHARED),
    OPERATION(PI_SPIN_STORED),
    OPERATION(PI_SPIN_SHARED),
    OPERATION(PI_LIST_STORED),
    OPERATION(PI_LIST_SHARED),
    WORDS(PI_CLASS_GONE, "gone"),
    WORDS(PI_CLASS_MFA, "mfa"),
    WORDS(PI_CLASS_TOKEN, "token"),
    WORDS(PI_CLASS_CONFLICT, "conflict"),
    WORDS(PI_CLASS_APPROVAL, "approval"),
    WORDS(PI_CLASS_ABSENT, "absent"),
    WORDS(PI_CLASS_DENIED, "denied"),
    WORDS(PI_CLASS_DONE, "done"),
};

#define SECTION(op, title) [op] = {.name = (title), .size = sizeof(struct written)}

static const struct conf_section_info sections[] = {
    SECTION(PI_SIGN_IN, "sign_in"),
    SECTION(PI_SIGN_OUT, "sign_out"),
    SECTION(PI_CHECKOUT_STORED, "checkout_stored"),
    SECTION(PI_CHECKIN_STORED, "checkin_stored"),
    SECTION(PI_CHECKOUT_SHARED, "checkout_shared"),
    SECTION(PI_CHECKIN_SHARED, "checkin_shared"),
    SECTION(PI_SPIN_STORED, "spin_stored"),
    SECTION(PI_SPIN_SHARED, "spin_shared"),
    SECTION(PI_LIST_STORED, "list_stored"),
    SECTION(PI_LIST_SHARED, "list_shared"),
    [SECTION_TEXTS] = {.name = "texts", .size = sizeof(struct texts)},
};

static const struct conf_table table = {
    .sections = sections,
    .nsections = sizeof(sections) / sizeof(sections[0]),
    .rows = rows,
    .nrows = sizeof(rows) / sizeof(rows[0]),
};

/* ---- one row over the built-in one ---- */

static bool has_text(const struct conf_part *part, const char *key, char **to, char **from)
{
    if (!conf_part_has(part, key))
        return false;
    free(*to);
    *to = *from;
    *from = NULL;
    return true;
}

static bool takes_credential(enum pi_operation op)
{
    return op != PI_SIGN_IN && op != PI_SIGN_OUT && op != PI_LIST_STORED && op != PI_LIST_SHARED;
}

/* The first thing that keeps the row from being sent; one line for each row is enough. */
static void judge_row(struct conf_draft *d, const struct conf_part *part, enum pi_operation op,
                      const struct pi_row *row)
{
    if (!row->path)
        conf_error(d, part->line,
                   "[%s] lacks `path`, such as: path = DoLogin2; there is no built-in row to take it from",
                   pi_operation_name(op));
    else if (!row->post && op == PI_SIGN_IN)
        conf_error(d, conf_part_line(part, "method"),
                   "`method` must be POST for a sign-in: its values are in the body, never in the URL");
    else if (!row->post && conf_part_has(part, "body"))
        conf_error(d, conf_part_line(part, "body"), "`body` has no effect with method = GET; leave it out");
    else if (row->post && !row->body_text)
        conf_error(d, part->line, "[%s] lacks `body`, such as: body = {\"AuthenticationToken\":\"{token}\"}",
                   pi_operation_name(op));
    else if (op == PI_SIGN_IN && row->header)
        conf_error(d, conf_part_line(part, "token"), "`token` has no effect: a sign-in has none yet");
    else if (op != PI_SIGN_IN && !pi_row_has(row, PI_TOKEN))
        conf_error(d, conf_part_line(part, "body"),
                   "[%s] sends no token: write \"{token}\" into `body`, or set token = header",
                   pi_operation_name(op));
    else if (takes_credential(op) && !pi_row_has(row, PI_ACCOUNT))
        conf_error(d, conf_part_line(part, "body"),
                   "[%s] does not say which account it means: write \"{account}\" into `body`",
                   pi_operation_name(op));
}

/* A row without a path is removed. */
static bool is_removal(struct conf_draft *d, const struct conf_part *part, const struct written *w)
{
    size_t others = 0;

    if (!w->path || *w->path)
        return false;
    for (size_t i = 0; i < table.nrows; i++)
        others += rows[i].section == part->section && part->at[i];
    if (others > 1)
        conf_error(d, conf_part_line(part, "path"),
                   "`path` is empty, which removes the row; leave the other keys of [%s] out",
                   pi_operation_name((enum pi_operation)part->section));
    return true;
}

static void lay_over(struct conf_draft *d, const struct conf_part *part, struct pi_row *row)
{
    enum pi_operation op = (enum pi_operation)part->section;
    struct written *w = part->object;
    char why[CONF_WHY_SIZE];

    if (is_removal(d, part, w)) {
        pi_row_clear(row);
        return;
    }
    if (conf_part_has(part, "method"))
        row->post = w->post;
    else if (row->certainty == PI_NONE)
        row->post = true;
    if (conf_part_has(part, "token"))
        row->header = w->header;
    row->certainty = PI_OVERRIDDEN;
    (void)has_text(part, "path", &row->path, &w->path);
    (void)has_text(part, "answer", &row->answer, &w->answer);
    (void)has_text(part, "ok", &row->ok, &w->ok);
    if (has_text(part, "body", &row->body_text, &w->body) || !row->post) {
        cJSON_Delete(row->body);
        row->body = NULL;
    }
    if (row->body_text && row->post && !row->body)
        row->body = pi_body_parse(op, row->body_text, why, sizeof(why));
    if (row->body_text && row->post && !row->body)
        d->nomem = true; /* it was read before */
    judge_row(d, part, op, row);
    if (!row->post) {
        free(row->body_text);
        row->body_text = NULL;
    }
}

/* ---- the file ---- */

static int copy_rows(struct pi_row to[PI_NOPERATIONS], const struct pi_profile *from)
{
    for (size_t i = 0; i < PI_NOPERATIONS; i++)
        if (pi_row_copy(&to[i], &from->row[i]))
            return -ENOMEM;
    return 0;
}

static void take_texts(struct pi_profile *p, struct texts *texts, const struct conf_part *part)
{
    for (size_t i = 0; i < PI_NCLASSES; i++) {
        struct conf_list old = p->texts[i];

        if (!conf_part_has(part, pi_class_name((enum pi_class)i)))
            continue;
        p->texts[i] = texts->words[i];
        p->replaced[i] = true;
        texts->words[i] = old; /* freed with the draft */
    }
}

static void take(struct pi_profile *p, struct conf_draft *d, struct pi_row row[PI_NOPERATIONS])
{
    struct conf_part *part = conf_draft_next(d, SECTION_TEXTS, NULL);

    for (size_t i = 0; i < PI_NOPERATIONS; i++) {
        struct pi_row old = p->row[i];

        p->row[i] = row[i];
        row[i] = old;
    }
    if (part)
        take_texts(p, part->object, part);
}

static int read_file(struct pi_profile *p, const char *path, const struct buf *text, struct buf *errors)
{
    struct pi_row row[PI_NOPERATIONS] = {{.certainty = PI_NONE}};
    struct conf_draft draft;
    struct conf_part *part;

    conf_draft_init(&draft, &table, path);
    conf_read(&draft, text->data ? text->data : "", text->len);
    draft.nomem |= copy_rows(row, p) != 0;
    bool sound = !draft.errors;
    TAILQ_FOREACH(part, &draft.parts, link)
    if (sound && part->section < PI_NOPERATIONS)
        lay_over(&draft, part, &row[part->section]);
    conf_draft_print(&draft, errors);
    int err = draft.nomem ? -ENOMEM : draft.errors ? -EINVAL : 0;
    if (!err)
        take(p, &draft, row);
    for (size_t i = 0; i < PI_NOPERATIONS; i++)
        pi_row_clear(&row[i]);
    conf_draft_free(&draft);
    return err;
}

/* Who may write the file decides what is sent to the vault with everybody's identity. */
static bool is_own(const char *path, struct buf *errors)
{
    struct stat st;

    if (stat(path, &st) || !(st.st_mode & (S_IWGRP | S_IWOTH)))
        return true;
    (void)buf_printf(errors, "%s:1: its group or other users can write this file; chmod go-w it\n", path);
    return false;
}

int pi_profile_load(struct pi_profile *p, const char *path, struct buf *errors)
{
    struct buf text = BUF_INIT(CONF_SOURCE_MAX);
    int err = conf_source_read(path, &text);

    if (err)
        conf_source_complain(errors, path, err);
    else
        err = is_own(path, errors) ? read_file(p, path, &text, errors) : -EINVAL;
    buf_free(&text);
    return err;
}
