/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan.c - the files that setup makes: shown, made, removed again; see setup.h.
 *
 * A file is made with O_EXCL, mode 0600 and its final group and mode set through the descriptor, so that no
 * other user opens it in between, and nothing that is there is overwritten. One file may be there already:
 * the configuration as the package installs it, all comments. It is moved aside first, and comes back if a
 * later step fails. Folders on the way must be such that no other user can change them (safe_path.h).
 */
#include "commands/setup/setup.h"

#include "base/durable.h"
#include "base/safe_path.h"
#include "conf/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ASIDE        ".before-setup"
#define DEFAULTS_MAX (4U * 1024 * 1024)

static struct setup_file *next_file(struct setup *s, mode_t mode, const char *path)
{
    struct setup_plan *plan = &s->plan;
    struct setup_file *f = plan->n < SETUP_FILES ? &plan->files[plan->n] : NULL;
    char whole[PATH_MAX];

    if (!f || snprintf(whole, sizeof(whole), "%s%s", s->root, path) >= (int)sizeof(whole))
        return NULL;
    *f = (struct setup_file){.mode = mode, .path = strdup(whole)};
    if (!f->path)
        return NULL;
    plan->n++;
    return f;
}

void setup_folder(struct setup *s, mode_t mode, bool to_gateway, const char *path)
{
    struct setup_file *f = next_file(s, mode, path);

    if (f) {
        f->folder = true;
        f->to_gateway = to_gateway;
    }
}

struct setup_file *setup_add(struct setup *s, mode_t mode, struct buf *data, const char *fmt, ...)
{
    struct setup_file *f;
    char path[PATH_MAX];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(path, sizeof(path), fmt, ap);
    va_end(ap);
    f = n < 0 || n >= (int)sizeof(path) || data->failed ? NULL : next_file(s, mode, path);
    if (f)
        buf_move(&f->data, data);
    return f;
}

/* ---- may it be made? ---- */

static bool fail(char why[SETUP_WHY_SIZE], const struct setup_file *f, const char *what, int err)
{
    (void)snprintf(why, SETUP_WHY_SIZE, "%.300s %s%s%s", f->path, what, err ? ": " : "",
                   err ? strerror(err) : "");
    return false;
}

/* Is the file byte for byte what `jumpgate config --defaults` prints? */
static bool is_untouched(const char *path)
{
    struct buf text = BUF_INIT(DEFAULTS_MAX), have = BUF_INIT(DEFAULTS_MAX);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    char part[4096];
    ssize_t n = fd < 0 ? -1 : 0;

    while (fd >= 0 && (n = read(fd, part, sizeof(part))) > 0 && !have.failed)
        (void)buf_append(&have, part, (size_t)n);
    if (fd >= 0)
        (void)close(fd);
    conf_print_defaults(&text);
    bool same = n == 0 && !text.failed && !have.failed && text.len == have.len && have.len &&
                memcmp(text.data, have.data, have.len) == 0;
    buf_free(&text);
    buf_free(&have);
    return same;
}

static bool aside_name(const struct setup_file *f, char out[PATH_MAX])
{
    return snprintf(out, PATH_MAX, "%s%s", f->path, ASIDE) < PATH_MAX;
}

static bool is_left_aside(const struct setup_file *f)
{
    char aside[PATH_MAX];
    struct stat st;

    return !aside_name(f, aside) || lstat(aside, &st) == 0;
}

static bool may_be_made(struct setup_file *f, char why[SETUP_WHY_SIZE])
{
    struct safe_path_owners owners = {.n = 0};
    struct stat st;

    safe_path_trust(&owners, geteuid());
    if (!safe_path(f->path, &owners, why))
        return false;
    if (lstat(f->path, &st) != 0)
        return errno == ENOENT ? true : fail(why, f, "cannot be looked at", errno);
    if (f->folder)
        return S_ISDIR(st.st_mode) ? true : fail(why, f, "is no folder", 0);
    if (f->replaces && is_untouched(f->path))
        return !is_left_aside(f) ||
               fail(why, f,
                    "cannot be replaced: " ASIDE " beside it is from a setup that was killed; move it away",
                    0);
    return fail(why, f, "exists, and setup overwrites nothing; move it away, or change it by hand", 0);
}

bool setup_plan_possible(struct setup *s, char why[SETUP_WHY_SIZE])
{
    for (size_t i = 0; i < s->plan.n; i++)
        if (!may_be_made(&s->plan.files[i], why))
            return false;
    return true;
}

/* ---- made ---- */

static int move_aside(struct setup_file *f)
{
    char aside[PATH_MAX];
    struct stat st;

    if (!f->replaces || lstat(f->path, &st) != 0)
        return 0;
    if (!aside_name(f, aside) || lstat(aside, &st) == 0)
        return EEXIST;
    if (rename(f->path, aside) != 0)
        return errno;
    f->aside = true;
    return 0;
}

static int set_access(const struct setup *s, const struct setup_file *f, int fd)
{
    if (f->to_gateway && s->plan.group != (gid_t)-1 && fchown(fd, (uid_t)-1, s->plan.group) != 0)
        return errno;
    return fchmod(fd, f->mode) != 0 ? errno : 0;
}

static int make_folder(const struct setup *s, struct setup_file *f)
{
    int fd, err;

    if (mkdir(f->path, 0700) != 0)
        return errno == EEXIST ? 0 : errno;
    f->made = true;
    fd = open(f->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno;
    err = set_access(s, f, fd);
    (void)close(fd);
    return err;
}

static int write_all(int fd, const struct buf *data)
{
    size_t done = 0;

    while (done < data->len) {
        ssize_t n = write(fd, data->data + done, data->len - done);

        if (n < 0 && errno != EINTR)
            return errno;
        done += n > 0 ? (size_t)n : 0;
    }
    return fsync(fd) != 0 ? errno : 0;
}

static int make_file(const struct setup *s, struct setup_file *f)
{
    int err = move_aside(f), fd;

    if (err)
        return err;
    fd = open(f->path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno;
    f->made = true;
    err = write_all(fd, &f->data);
    if (!err)
        err = set_access(s, f, fd);
    err = close(fd) != 0 && !err ? errno : err;
    return err ? err : -durable_name(f->path);
}

bool setup_plan_make(struct setup *s, char why[SETUP_WHY_SIZE])
{
    for (size_t i = 0; i < s->plan.n; i++) {
        struct setup_file *f = &s->plan.files[i];
        int err = f->folder ? make_folder(s, f) : make_file(s, f);

        if (!err)
            continue;
        fail(why, f, "cannot be made", err);
        setup_plan_undo(s);
        return false;
    }
    return true;
}

/* ---- the end ---- */

static void complain(const char *path, const char *what)
{
    fprintf(stderr, "jumpgate: %s %s: %s\n", path, what, strerror(errno));
}

static void undo_file(struct setup_file *f)
{
    char aside[PATH_MAX];

    if (f->made && (f->folder ? rmdir(f->path) : unlink(f->path)) != 0)
        complain(f->path, "cannot be removed again");
    f->made = false;
    if (f->aside && aside_name(f, aside) && rename(aside, f->path) != 0)
        complain(aside, "cannot be put back");
    f->aside = false;
}

void setup_plan_undo(struct setup *s)
{
    for (size_t i = s->plan.n; i-- > 0;)
        undo_file(&s->plan.files[i]);
}

void setup_plan_keep(struct setup *s)
{
    char aside[PATH_MAX];

    for (size_t i = s->plan.n; i-- > 0;) {
        struct setup_file *f = &s->plan.files[i];

        if (f->trial)
            undo_file(f);
        if (f->aside && aside_name(f, aside) && unlink(aside) != 0)
            complain(aside, "cannot be removed");
        f->aside = false;
    }
}

void setup_plan_free(struct setup *s)
{
    for (size_t i = 0; i < s->plan.n; i++) {
        free(s->plan.files[i].path);
        buf_free(&s->plan.files[i].data);
    }
    s->plan.n = 0;
}

/* ---- shown ---- */

static void show_content(const struct setup_file *f, FILE *out)
{
    bool begins = true;

    if (f->secret) {
        fprintf(out, "    (%s, not shown)\n", f->secret);
        return;
    }
    for (size_t i = 0; i < f->data.len; i++) {
        if (begins)
            fputs("    ", out);
        fputc(f->data.data[i], out);
        begins = f->data.data[i] == '\n';
    }
    if (!begins)
        fputc('\n', out);
}

void setup_plan_show(const struct setup *s, FILE *out)
{
    for (size_t i = 0; i < s->plan.n; i++) {
        const struct setup_file *f = &s->plan.files[i];
        struct stat st;

        if (f->trial || (f->folder && lstat(f->path, &st) == 0))
            continue;
        fprintf(out, "%s%s  mode %04o  root:%s%s\n", f->path, f->folder ? "/" : "", (unsigned)f->mode,
                f->to_gateway ? "jumpgate" : "root", f->replaces ? "  (replaces only an untouched one)" : "");
        if (!f->folder)
            show_content(f, out);
    }
}
