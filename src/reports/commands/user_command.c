/* SPDX-License-Identifier: Apache-2.0 */
/*
 * user_command.c - `user add`, `user password`, `user list`: the people who may sign in; see commands.h.
 *
 * The configuration is read without a look at the files that it names: a person is added on any machine, and
 * without the service manager's credentials. What is changed is text of the file, so that comments and order
 * stay. A changed file must still have exactly the section that was meant, or nothing is written.
 *
 * While the password is typed the file may change: what is changed is its text as it is then, read again
 * under a lock that other such commands wait for.
 */
#include "base/text.h"
#include "commands/line/terminal.h"
#include "conf/table/conf_source.h"
#include "reports/commands/commands.h"
#include "reports/commands/conf_edit.h"
#include "reports/commands/password_prompt.h"
#include "reports/conf/reports_sections.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NAME_LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
#define WHY_SIZE     320

struct people { /* the configuration's text, and what is in it */
    struct buf text;
    struct conf_draft draft;
};

/* 0, or an exit code after saying why. people_free() in both cases. */
static int people_read(struct people *p, const char *path)
{
    char why[WHY_SIZE];
    int err;

    p->text = BUF_INIT(CONF_SOURCE_MAX);
    conf_draft_init(&p->draft, &reports_table, path);
    err = conf_source_read(path, &p->text);
    if (!err && !buf_cstr(&p->text))
        err = p->text.failed ? -ENOMEM : 0;
    if (!err)
        conf_read(&p->draft, p->text.len ? p->text.data : "", p->text.len);
    if (!err && p->draft.nomem)
        err = -ENOMEM;
    if (!err)
        return EXIT_DONE;
    (void)snprintf(why, sizeof(why), "%.200s: %s", path, strerror(-err));
    return command_failed(why);
}

static void people_free(struct people *p)
{
    conf_draft_free(&p->draft);
    buf_free(&p->text);
}

static struct conf_part *find_part(struct people *p, enum reports_section section, const char *name)
{
    for (struct conf_part *part = NULL; (part = conf_draft_next(&p->draft, section, part));)
        if (strcmp(part->name, name) == 0)
            return part;
    return NULL;
}

/* ---- what is written ---- */

/* The value of a key as the table judges it. 0, or an exit code after saying why. */
static int check_value(const struct command_args *args, const char *flag, const char *key)
{
    const struct conf_row *row = conf_row_find(&reports_table, REPORTS_USER, key);
    const char *value = args_value(args, flag);
    struct reports_user user = {.enabled = true};
    char why[CONF_WHY_SIZE] = "";
    int err;

    if (!value)
        return EXIT_DONE;
    row->type->clear(row, &user);
    err = row->type->parse(row, value, &user, why);
    row->type->clear(row, &user);
    if (err)
        return args_wrong(args, "%s %s", flag, err == -ENOMEM ? "is too long" : why);
    return value[strcspn(value, "#;\n")] ? args_wrong(args, "%s has a letter that begins a comment", flag)
                                         : EXIT_DONE;
}

static int check_sites(struct people *p, const char *names)
{
    const char *word;
    char name[CONF_NAME_MAX], why[WHY_SIZE];
    size_t len;

    while (names && (word = conf_next_word(&names, &len))) {
        if (text_copy_n(name, sizeof(name), word, len) && find_part(p, REPORTS_PRA, name))
            continue;
        (void)snprintf(why, sizeof(why), "--sites: there is no section [pra %.*s] in %.200s",
                       len < CONF_NAME_MAX ? (int)len : CONF_NAME_MAX, word, p->draft.file);
        return command_failed(why);
    }
    return EXIT_DONE;
}

static void write_section(struct buf *out, const struct command_args *args, const char *password)
{
    const char *allow = args_value(args, "--allow"), *sites = args_value(args, "--sites");

    (void)buf_printf(out, "[user %s]\npassword = %s\nallow = %s\n", args->words[0], password,
                     allow ? allow : "view");
    if (sites)
        (void)buf_printf(out, "sites = %s\n", sites);
}

/* Is the text one with this user and this password? */
static bool reads_back(const struct buf *text, const char *name, const char *password)
{
    struct people p = {.text = BUF_INIT(0)};
    const struct conf_part *part;
    bool same;

    conf_draft_init(&p.draft, &reports_table, "");
    conf_read(&p.draft, text->data, text->len);
    part = find_part(&p, REPORTS_USER, name);
    const char *read = part ? ((const struct reports_user *)part->object)->password : NULL;
    same = read && strcmp(read, password) == 0;
    conf_draft_free(&p.draft);
    return same;
}

/* The file as it is now, in place of what was read of it before. 0, or an exit code after saying why. */
static int people_read_again(struct people *p, const char *path, int *lock)
{
    char why[WHY_SIZE];

    people_free(p);
    *lock = conf_edit_lock(path);
    int code = people_read(p, path);
    if (code || *lock >= 0)
        return code;
    (void)snprintf(why, sizeof(why), "%.200s: cannot be locked: %s", path, strerror(-*lock));
    return command_failed(why);
}

static int write_file(const char *path, struct buf *text, const char *name, const char *password)
{
    char why[WHY_SIZE];
    int err;

    if (!buf_cstr(text) || text->failed)
        return command_failed("the configuration would be too long");
    if (!reads_back(text, name, password))
        return command_failed("the configuration has a mistake that keeps the section from being read; see "
                              "jumpgate-reports check");
    err = conf_edit_replace(path, text);
    if (!err) {
        printf("%s: [user %s] is written; a running program takes it with a reload\n", path, name);
        return command_finish_output();
    }
    (void)snprintf(why, sizeof(why), "%.200s: cannot be written: %s", path, strerror(-err));
    return command_failed(why);
}

/* ---- add ---- */

static int check_new(const struct command_args *args, struct people *p)
{
    const char *name = args->words[0];
    char why[WHY_SIZE];
    const struct conf_part *there = find_part(p, REPORTS_USER, name);

    if (there) {
        (void)snprintf(why, sizeof(why), "%.200s: [user %s] is there already, in line %u", args->conf, name,
                       there->line);
        return command_failed(why);
    }
    return check_sites(p, args_value(args, "--sites"));
}

static int append_user(const struct command_args *args, struct people *p, const char *password)
{
    struct buf out = BUF_INIT(2 * CONF_SOURCE_MAX);
    int lock, code = people_read_again(p, args->conf, &lock);

    if (!code)
        code = check_new(args, p);
    if (!code) {
        (void)buf_append(&out, p->text.data, p->text.len);
        if (p->text.len)
            (void)buf_str(&out, p->text.data[p->text.len - 1] == '\n' ? "\n" : "\n\n");
        write_section(&out, args, password);
        code = write_file(args->conf, &out, args->words[0], password);
    }
    conf_edit_unlock(lock);
    buf_free(&out);
    return code;
}

static int print_section(const struct command_args *args, const char *password)
{
    struct buf out = BUF_INIT(CONF_SOURCE_MAX);

    write_section(&out, args, password);
    (void)fwrite(out.data, 1, out.len, stdout);
    buf_free(&out);
    return command_finish_output();
}

static int add_user(const struct command_args *args, struct people *p)
{
    char password[PASSWORD_TEXT_SIZE];
    int code = password_prompt(args->words[0], args_given(args, "--password-stdin"), password);

    if (code)
        return code;
    return args_given(args, "--append") ? append_user(args, p, password) : print_section(args, password);
}

int reports_user_add(const struct command_args *args)
{
    const char *name = args->words[0];
    struct people p;
    int code;

    if (strlen(name) >= CONF_NAME_MAX || !text_only(name, NAME_LETTERS))
        return args_wrong(args, "the name of a user has 1 to 63 letters of A-Z a-z 0-9 . _ -");
    code = check_value(args, "--allow", "allow");
    if (!code)
        code = check_value(args, "--sites", "sites");
    if (code)
        return code;
    code = people_read(&p, args->conf);
    if (!code)
        code = check_new(args, &p);
    if (!code)
        code = add_user(args, &p);
    people_free(&p);
    return code;
}

/* ---- password ---- */

/* Where line `number` (from 1) begins; the end of the text where there is none. */
static const char *line_start(const struct buf *text, unsigned number)
{
    const char *at = text->data, *end = at + text->len;

    while (at < end && --number) {
        const char *eol = memchr(at, '\n', (size_t)(end - at));

        at = eol ? eol + 1 : end;
    }
    return at;
}

/* The text with another line `password = …` in the section. */
static void write_changed(struct buf *out, const struct people *p, const struct conf_part *part,
                          const char *password)
{
    const struct conf_row *row = conf_row_find(&reports_table, REPORTS_USER, "password");
    unsigned set = part->at[row - reports_table.rows], after = set ? set : part->line;
    const char *begin = p->text.data, *rest = line_start(&p->text, after + 1);
    const char *cut = set ? line_start(&p->text, set) : rest;

    (void)buf_append(out, begin, (size_t)(cut - begin));
    if (cut > begin && cut[-1] != '\n')
        (void)buf_char(out, '\n');
    (void)buf_printf(out, "password = %s\n", password);
    (void)buf_append(out, rest, (size_t)(begin + p->text.len - rest));
}

/* NULL after saying that there is none. */
static const struct conf_part *known_part(const struct command_args *args, struct people *p)
{
    const struct conf_part *part = find_part(p, REPORTS_USER, args->words[0]);
    char why[WHY_SIZE];

    if (part)
        return part;
    (void)snprintf(why, sizeof(why), "%.200s: there is no section [user %.64s]", args->conf, args->words[0]);
    (void)command_failed(why);
    return NULL;
}

static int replace_password(const struct command_args *args, struct people *p, const char *password)
{
    const struct conf_part *part = NULL;
    struct buf out = BUF_INIT(2 * CONF_SOURCE_MAX);
    int lock, code = people_read_again(p, args->conf, &lock);

    if (!code && !(part = known_part(args, p)))
        code = EXIT_FAILED;
    if (!code) {
        write_changed(&out, p, part, password);
        code = write_file(args->conf, &out, args->words[0], password);
    }
    conf_edit_unlock(lock);
    buf_free(&out);
    return code;
}

static int change_password(const struct command_args *args, struct people *p)
{
    char password[PASSWORD_TEXT_SIZE];

    if (!known_part(args, p))
        return EXIT_FAILED;
    int code = password_prompt(args->words[0], args_given(args, "--password-stdin"), password);
    return code ? code : replace_password(args, p, password);
}

int reports_user_password(const struct command_args *args)
{
    struct people p;
    int code = people_read(&p, args->conf);

    if (!code)
        code = change_password(args, &p);
    people_free(&p);
    return code;
}

/* ---- list ---- */

static void print_user(const struct conf_part *part)
{
    const struct reports_user *u = part->object;
    const struct conf_row *allow = conf_row_find(&reports_table, REPORTS_USER, "allow");
    struct buf words = BUF_INIT(256);

    allow->type->print(allow, u, &words);
    printf("%-20s %-24s %-32s", part->name,
           u->password && u->certificate_san ? "password and certificate"
           : u->password                     ? "password"
           : u->certificate_san              ? "certificate"
                                             : "cannot sign in",
           words.len && buf_cstr(&words) ? words.data : "");
    for (size_t i = 0; i < u->sites.n; i++)
        printf(" %s", u->sites.item[i]);
    printf("%s%s\n", u->sites.n ? "" : " all sites", u->enabled ? "" : " (not enabled)");
    buf_free(&words);
}

int reports_user_list(const struct command_args *args)
{
    struct people p;
    int code = people_read(&p, args->conf);

    for (struct conf_part *part = NULL; !code && (part = conf_draft_next(&p.draft, REPORTS_USER, part));)
        print_user(part);
    people_free(&p);
    return code ? code : command_finish_output();
}
