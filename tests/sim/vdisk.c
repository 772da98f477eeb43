/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vdisk.c - files in memory and their crashes; see vdisk.h.
 *
 *   write, truncate -> now and pending changes --sync--> durable
 *   open, rename, unlink, mkdir -> names and pending changes of names --sync of the directory--> durable
 * names
 *
 * All of this is an image. vdisk_cut() makes the image that the next process finds; the dead process goes on
 * with its own one until vdisk_reboot() takes it away. Files are freed with their image.
 */
#include "vdisk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define OPENS_MAX 64
#define TORN_MAX  8

struct bytes {
    char *at;
    size_t n, cap;
};

struct change {
    STAILQ_ENTRY(change) link;
    bool length; /* the file gets the length `from` */
    uint64_t from;
    size_t n;
    char bytes[];
};
STAILQ_HEAD(changes, change);

struct file {
    STAILQ_ENTRY(file) link;
    struct bytes now, durable;
    struct changes pending;
    bool directory;
    ino_t number;
    uint64_t allocated;
    size_t seen, found; /* the hooks' */
    struct torn {
        uint64_t from, to;
    } torn[TORN_MAX]; /* by the last crashes */
    unsigned ntorn;
    const void *lock; /* the descriptor that has it */
    struct file *copy;
};
STAILQ_HEAD(files, file);

struct name {
    char *path;
    struct file *file;
};

struct names {
    struct name *at;
    size_t n;
};

enum name_kind { NAME_ADDED, NAME_MOVED, NAME_REMOVED };

struct name_change {
    STAILQ_ENTRY(name_change) link;
    enum name_kind kind;
    char *path, *to; /* `to` of NAME_MOVED */
    struct file *file;
};
STAILQ_HEAD(name_changes, name_change);

struct image {
    struct files files;
    struct names now, durable;
    struct name_changes pending;
};

struct open {
    struct file *file; /* NULL = free */
    char *path;        /* at its opening; "" = it has none */
    uint64_t at;
};

struct vdisk {
    struct vdisk_hooks hooks;
    struct rng rng;
    struct image *image, *next; /* `next`: the process is dead */
    struct open open[OPENS_MAX];
    ino_t numbers;
    unsigned sector;
};

static void *need(void *memory)
{
    if (!memory)
        abort();
    return memory;
}

/* ---- bytes ---- */

static void bytes_resize(struct bytes *b, size_t n)
{
    if (n > b->cap) {
        b->cap = n < 2 * b->cap ? 2 * b->cap : n + 4096;
        b->at = need(realloc(b->at, b->cap));
    }
    if (n > b->n)
        memset(b->at + b->n, 0, n - b->n);
    b->n = n;
}

static void bytes_write(struct bytes *b, uint64_t from, const char *bytes, size_t n)
{
    if (from + n > b->n)
        bytes_resize(b, from + n);
    if (n)
        memcpy(b->at + from, bytes, n);
}

static void bytes_copy(struct bytes *to, const struct bytes *from)
{
    *to = (struct bytes){0};
    bytes_write(to, 0, from->at, from->n);
}

/* ---- changes of a file ---- */

static void add_change(struct file *f, bool length, uint64_t from, const char *bytes, size_t n)
{
    struct change *c = need(malloc(sizeof *c + n));

    *c = (struct change){.length = length, .from = from, .n = n};
    if (n)
        memcpy(c->bytes, bytes, n);
    STAILQ_INSERT_TAIL(&f->pending, c, link);
}

static void apply_change(struct bytes *to, const struct change *c)
{
    if (c->length)
        bytes_resize(to, c->from);
    else
        bytes_write(to, c->from, c->bytes, c->n);
}

static void drop_changes(struct file *f)
{
    struct change *c;

    while ((c = STAILQ_FIRST(&f->pending))) {
        STAILQ_REMOVE_HEAD(&f->pending, link);
        free(c);
    }
}

/* ---- names ---- */

static struct name *find_name(const struct names *names, const char *path)
{
    for (size_t i = 0; i < names->n; i++)
        if (strcmp(names->at[i].path, path) == 0)
            return &names->at[i];
    return NULL;
}

static struct file *find_file(const struct image *im, const char *path)
{
    const struct name *name = find_name(&im->now, path);

    return name ? name->file : NULL;
}

static void remove_name(struct names *names, const char *path)
{
    struct name *name = find_name(names, path);

    if (!name)
        return;
    free(name->path);
    memmove(name, name + 1, (size_t)(names->at + names->n - name - 1) * sizeof *name);
    names->n--;
}

static void set_name(struct names *names, const char *path, struct file *file)
{
    remove_name(names, path);
    names->at = need(realloc(names->at, (names->n + 1) * sizeof *names->at));
    names->at[names->n++] = (struct name){need(strdup(path)), file};
}

static void free_names(struct names *names)
{
    for (size_t i = 0; i < names->n; i++)
        free(names->at[i].path);
    free(names->at);
}

static void apply_name(struct names *names, const struct name_change *c)
{
    if (c->kind != NAME_ADDED)
        remove_name(names, c->path);
    if (c->kind != NAME_REMOVED)
        set_name(names, c->kind == NAME_MOVED ? c->to : c->path, c->file);
}

static void free_name_change(struct name_change *c)
{
    free(c->path);
    free(c->to);
    free(c);
}

static struct name_change *note_name(struct image *im, enum name_kind kind, const char *path, const char *to,
                                     struct file *file)
{
    struct name_change *c = need(calloc(1, sizeof *c));

    *c = (struct name_change){
        .kind = kind, .path = need(strdup(path)), .to = to ? need(strdup(to)) : NULL, .file = file};
    STAILQ_INSERT_TAIL(&im->pending, c, link);
    return c;
}

static void change_name(struct image *im, enum name_kind kind, const char *path, const char *to,
                        struct file *file)
{
    apply_name(&im->now, note_name(im, kind, path, to, file));
}

static size_t directory_length(const char *path)
{
    return (size_t)(strrchr(path, '/') - path);
}

static bool is_within(const char *path, const char *directory)
{
    return directory_length(path) == strlen(directory) && strncmp(path, directory, strlen(directory)) == 0;
}

static void sync_names(struct image *im, const char *directory)
{
    struct name_change *c, *next;

    for (c = STAILQ_FIRST(&im->pending); c; c = next) {
        next = STAILQ_NEXT(c, link);
        if (!is_within(c->path, directory))
            continue;
        apply_name(&im->durable, c);
        STAILQ_REMOVE(&im->pending, c, name_change, link);
        free_name_change(c);
    }
}

/* ---- images ---- */

static struct image *image_new(void)
{
    struct image *im = need(calloc(1, sizeof *im));

    STAILQ_INIT(&im->files);
    STAILQ_INIT(&im->pending);
    return im;
}

static struct file *file_new(struct image *im, ino_t number)
{
    struct file *f = need(calloc(1, sizeof *f));

    f->number = number;
    STAILQ_INIT(&f->pending);
    STAILQ_INSERT_TAIL(&im->files, f, link);
    return f;
}

static void image_free(struct image *im)
{
    struct file *f;
    struct name_change *c;

    while ((f = STAILQ_FIRST(&im->files))) {
        STAILQ_REMOVE_HEAD(&im->files, link);
        drop_changes(f);
        free(f->now.at);
        free(f->durable.at);
        free(f);
    }
    while ((c = STAILQ_FIRST(&im->pending))) {
        STAILQ_REMOVE_HEAD(&im->pending, link);
        free_name_change(c);
    }
    free_names(&im->now);
    free_names(&im->durable);
    free(im);
}

/* ---- crashes ---- */

/* Some sectors of a write; a new length as a whole or not. */
static void keep_some(struct vdisk *d, struct bytes *to, const struct change *c)
{
    if (c->length) {
        if (rng_chance(&d->rng, 50))
            apply_change(to, c);
        return;
    }
    for (size_t at = 0, n; at < c->n; at += n) {
        n = d->sector - (size_t)((c->from + at) % d->sector);
        n = n < c->n - at ? n : c->n - at;
        if (rng_chance(&d->rng, 50))
            bytes_write(to, c->from + at, c->bytes + at, n);
    }
}

static unsigned count_changes(const struct file *f)
{
    const struct change *c;
    unsigned n = 0;

    STAILQ_FOREACH(c, &f->pending, link)
    n++;
    return n;
}

static void survive(struct vdisk *d, struct bytes *to, const struct file *f, enum vdisk_loss loss)
{
    const struct change *c;
    unsigned whole = loss == VDISK_LOSE_LAST ? rng_below(&d->rng, count_changes(f) + 1) : 0, i = 0;

    if (loss == VDISK_LOSE_ALL)
        return;
    STAILQ_FOREACH(c, &f->pending, link)
    {
        if (loss == VDISK_LOSE_SOME || i == whole)
            keep_some(d, to, c);
        else if (i < whole)
            apply_change(to, c);
        i++;
    }
}

/* What was pending is where the copy may be torn. */
static void note_torn(struct file *copy, const struct file *f)
{
    const struct change *c;
    struct torn t = {UINT64_MAX, 0};

    STAILQ_FOREACH(c, &f->pending, link)
    {
        t.from = c->from < t.from ? c->from : t.from;
        t.to = c->from + c->n > t.to ? c->from + c->n : t.to;
    }
    if (t.to > t.from)
        copy->torn[copy->ntorn++ % TORN_MAX] = t;
}

static struct file *copy_file(struct vdisk *d, struct image *im, const struct file *f, enum vdisk_loss loss)
{
    struct file *copy = file_new(im, f->number);
    const struct change *c;

    copy->directory = f->directory;
    copy->seen = f->seen;
    copy->found = f->found;
    copy->ntorn = f->ntorn;
    memcpy(copy->torn, f->torn, sizeof copy->torn);
    bytes_copy(&copy->durable, &f->durable);
    if (loss == VDISK_LOSE_NONE) {
        copy->allocated = f->allocated;
        bytes_copy(&copy->now, &f->now);
        STAILQ_FOREACH(c, &f->pending, link)
        add_change(copy, c->length, c->from, c->bytes, c->n);
        return copy;
    }
    survive(d, &copy->durable, f, loss);
    if (loss != VDISK_LOSE_ALL)
        note_torn(copy, f);
    bytes_copy(&copy->now, &copy->durable);
    copy->allocated = copy->now.n;
    return copy;
}

static void copy_names(struct names *to, const struct names *from)
{
    for (size_t i = 0; i < from->n; i++)
        set_name(to, from->at[i].path, from->at[i].file->copy);
}

/* What is in a directory that is lost is lost. */
static void drop_lost_names(struct names *names)
{
    for (size_t i = 0; i < names->n; i++) {
        char *directory = need(strndup(names->at[i].path, directory_length(names->at[i].path)));
        bool lost = *directory && !find_name(names, directory);

        free(directory);
        if (lost) {
            remove_name(names, names->at[i].path);
            i = SIZE_MAX; /* from the beginning */
        }
    }
}

static void copy_name_changes(struct vdisk *d, struct image *to, const struct image *from,
                              enum vdisk_loss loss)
{
    const struct name_change *c;
    unsigned n = 0, left;

    STAILQ_FOREACH(c, &from->pending, link)
    n++;
    left = loss == VDISK_LOSE_NONE ? n : loss == VDISK_LOSE_ALL ? 0 : rng_below(&d->rng, n + 1);
    STAILQ_FOREACH(c, &from->pending, link)
    {
        if (!left--)
            return;
        if (loss == VDISK_LOSE_NONE)
            (void)note_name(to, c->kind, c->path, c->to, c->file->copy);
        else
            apply_name(
                &to->durable,
                &(struct name_change){.kind = c->kind, .path = c->path, .to = c->to, .file = c->file->copy});
    }
}

void vdisk_cut(struct vdisk *d, enum vdisk_loss loss)
{
    struct image *old = d->image, *im = image_new();
    struct file *f;

    if (d->next)
        abort();
    STAILQ_FOREACH(f, &old->files, link)
    f->copy = copy_file(d, im, f, loss);
    copy_names(&im->durable, &old->durable);
    copy_name_changes(d, im, old, loss);
    if (loss == VDISK_LOSE_NONE) {
        copy_names(&im->now, &old->now);
    } else {
        drop_lost_names(&im->durable);
        for (size_t i = 0; i < im->durable.n; i++)
            set_name(&im->now, im->durable.at[i].path, im->durable.at[i].file);
    }
    d->next = im;
}

void vdisk_exit(struct vdisk *d)
{
    for (int i = 0; i < OPENS_MAX; i++)
        if (d->open[i].file)
            (void)vdisk_close(d, VDISK_FIRST_FD + i);
}

void vdisk_reboot(struct vdisk *d)
{
    vdisk_exit(d);
    image_free(d->image);
    d->image = d->next;
    d->next = NULL;
    for (size_t i = 0; i < d->image->now.n; i++) {
        struct file *f = d->image->now.at[i].file;

        if (f->now.n)
            d->hooks.found(d->hooks.arg, d->image->now.at[i].path, f->now.at, f->now.n, &f->found);
    }
}

/* ---- descriptors ---- */

bool vdisk_has_path(const char *path)
{
    size_t n = sizeof VDISK_ROOT - 1;

    return strncmp(path, VDISK_ROOT, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

bool vdisk_has_fd(int fd)
{
    return fd >= VDISK_FIRST_FD && fd < VDISK_FIRST_FD + OPENS_MAX;
}

static struct open *open_of(struct vdisk *d, int fd)
{
    struct open *o = vdisk_has_fd(fd) ? &d->open[fd - VDISK_FIRST_FD] : NULL;

    if (!o || !o->file)
        abort();
    return o;
}

static int begin(struct vdisk *d, enum vdisk_op op, const char *path, uint64_t grows)
{
    return d->next ? 0 : -d->hooks.before(d->hooks.arg, op, path, grows);
}

static void end(struct vdisk *d, enum vdisk_op op, const char *path)
{
    if (!d->next)
        d->hooks.after(d->hooks.arg, op, path);
}

static int new_fd(struct vdisk *d, struct file *f, const char *path)
{
    for (int i = 0; i < OPENS_MAX; i++)
        if (!d->open[i].file) {
            d->open[i] = (struct open){.file = f, .path = need(strdup(path))};
            return VDISK_FIRST_FD + i;
        }
    abort();
}

static bool has_directory(const struct image *im, const char *path)
{
    char *directory = need(strndup(path, directory_length(path)));
    const struct file *f = find_file(im, directory);

    free(directory);
    return f && f->directory;
}

/* A new file or directory at the path. NULL and *err. */
static struct file *make(struct vdisk *d, const char *path, bool directory, int *err)
{
    *err = has_directory(d->image, path) ? begin(d, VDISK_NAME, path, 1) : -ENOENT;
    if (*err)
        return NULL;
    struct file *f = file_new(d->image, ++d->numbers);

    f->directory = directory;
    change_name(d->image, NAME_ADDED, path, NULL, f);
    end(d, VDISK_NAME, path);
    return f;
}

int vdisk_open(struct vdisk *d, const char *path, int flags)
{
    struct file *f = find_file(d->image, path);
    int err = 0;

    if (f && flags & O_CREAT && flags & O_EXCL)
        return -EEXIST;
    if (f && f->directory && (flags & O_ACCMODE) != O_RDONLY)
        return -EISDIR;
    if (f && !f->directory && flags & O_DIRECTORY)
        return -ENOTDIR;
    if (!f && !(flags & O_CREAT))
        return -ENOENT;
    f = f ? f : make(d, path, false, &err);
    if (!f)
        return err;
    int fd = new_fd(d, f, path);

    return flags & O_TRUNC && f->now.n && (err = vdisk_truncate(d, fd, 0)) ? err : fd;
}

int vdisk_open_temporary(struct vdisk *d)
{
    return new_fd(d, file_new(d->image, ++d->numbers), "");
}

int vdisk_close(struct vdisk *d, int fd)
{
    struct open *o = open_of(d, fd);

    if (o->file->lock == o)
        o->file->lock = NULL;
    free(o->path);
    *o = (struct open){0};
    return 0;
}

ssize_t vdisk_read_at(struct vdisk *d, int fd, void *to, size_t n, uint64_t from)
{
    const struct file *f = open_of(d, fd)->file;

    if (f->directory)
        return -EISDIR;
    if (from >= f->now.n)
        return 0;
    n = n < f->now.n - from ? n : f->now.n - from;
    memcpy(to, f->now.at + from, n);
    return (ssize_t)n;
}

ssize_t vdisk_read(struct vdisk *d, int fd, void *to, size_t n)
{
    struct open *o = open_of(d, fd);
    ssize_t done = vdisk_read_at(d, fd, to, n, o->at);

    o->at += done > 0 ? (uint64_t)done : 0;
    return done;
}

int vdisk_seek_start(struct vdisk *d, int fd)
{
    open_of(d, fd)->at = 0;
    return 0;
}

/* How much of the bytes a write that fails has written all the same. */
static size_t part_of(struct vdisk *d, const struct file *f, int err, uint64_t from, size_t n)
{
    if (err == -EIO)
        return rng_below(&d->rng, (unsigned)n + 1);
    return f->allocated > from ? (size_t)(f->allocated - from) : 0; /* it has grown, so this is less than n */
}

ssize_t vdisk_write_at(struct vdisk *d, int fd, const void *bytes, size_t n, uint64_t from)
{
    const struct open *o = open_of(d, fd);
    struct file *f = o->file;
    int err = begin(d, VDISK_WRITE, o->path, from + n > f->allocated ? from + n - f->allocated : 0);
    size_t done = err ? part_of(d, f, err, from, n) : n;

    if (done) {
        bytes_write(&f->now, from, bytes, done);
        add_change(f, false, from, bytes, done);
        f->allocated = f->now.n > f->allocated ? f->now.n : f->allocated;
    }
    if (err)
        return err == -EIO || !done ? err : (ssize_t)done;
    end(d, VDISK_WRITE, o->path);
    return (ssize_t)n;
}

ssize_t vdisk_append(struct vdisk *d, int fd, const void *bytes, size_t n)
{
    return vdisk_write_at(d, fd, bytes, n, open_of(d, fd)->file->now.n);
}

int vdisk_truncate(struct vdisk *d, int fd, uint64_t size)
{
    const struct open *o = open_of(d, fd);
    struct file *f = o->file;
    int err = begin(d, VDISK_LENGTH, o->path, 0);

    if (err)
        return err;
    bytes_resize(&f->now, size);
    add_change(f, true, size, NULL, 0);
    f->allocated = size;
    end(d, VDISK_LENGTH, o->path);
    return 0;
}

int vdisk_reserve(struct vdisk *d, int fd, uint64_t from, uint64_t n)
{
    const struct open *o = open_of(d, fd);
    struct file *f = o->file;
    int err = begin(d, VDISK_LENGTH, o->path, from + n > f->allocated ? from + n - f->allocated : 0);

    if (err)
        return err;
    f->allocated = from + n > f->allocated ? from + n : f->allocated;
    return 0;
}

/*
 * Of a sync that fails some bytes never reach the disk, and no later sync brings them there. A new length is
 * of the file system's journal, and comes with the next sync that succeeds.
 */
static void sync_some(struct vdisk *d, struct file *f)
{
    struct changes all = STAILQ_HEAD_INITIALIZER(all);
    struct change *c;

    STAILQ_CONCAT(&all, &f->pending);
    while ((c = STAILQ_FIRST(&all))) {
        STAILQ_REMOVE_HEAD(&all, link);
        if (c->length) {
            STAILQ_INSERT_TAIL(&f->pending, c, link);
            continue;
        }
        if (rng_chance(&d->rng, 50))
            apply_change(&f->durable, c);
        free(c);
    }
}

static void sync_all(struct vdisk *d, struct file *f, const char *path)
{
    const struct change *c;

    STAILQ_FOREACH(c, &f->pending, link)
    apply_change(&f->durable, c);
    drop_changes(f);
    if (d->next)
        return;
    d->hooks.durable(d->hooks.arg, path, f->durable.at, f->durable.n, &f->seen);
    d->hooks.found(d->hooks.arg, path, f->durable.at, f->durable.n, &f->found);
}

int vdisk_sync(struct vdisk *d, int fd)
{
    const struct open *o = open_of(d, fd);
    int err = begin(d, VDISK_SYNC, o->path, 0);

    if (err && !o->file->directory)
        sync_some(d, o->file);
    if (err)
        return err;
    if (o->file->directory)
        sync_names(d->image, o->path);
    else
        sync_all(d, o->file, o->path);
    end(d, VDISK_SYNC, o->path);
    return 0;
}

int vdisk_lock(struct vdisk *d, int fd)
{
    const struct open *o = open_of(d, fd);

    if (o->file->lock && o->file->lock != o)
        return -EWOULDBLOCK;
    o->file->lock = o;
    return 0;
}

/* ---- by name ---- */

static void describe(const struct vdisk *d, const struct file *f, struct stat *st)
{
    *st = (struct stat){.st_ino = f->number,
                        .st_mode = f->directory ? S_IFDIR | 0700 : S_IFREG | 0600,
                        .st_size = (off_t)f->now.n};
    for (size_t i = 0; i < d->image->now.n; i++)
        st->st_nlink += d->image->now.at[i].file == f;
}

int vdisk_fstat(struct vdisk *d, int fd, struct stat *st)
{
    describe(d, open_of(d, fd)->file, st);
    return 0;
}

int vdisk_lstat(struct vdisk *d, const char *path, struct stat *st)
{
    const struct file *f = find_file(d->image, path);

    if (!f)
        return -ENOENT;
    describe(d, f, st);
    return 0;
}

static int change(struct vdisk *d, enum name_kind kind, const char *path, const char *to)
{
    struct file *f = find_file(d->image, path);
    int err = f ? begin(d, VDISK_NAME, path, 0) : -ENOENT;

    if (err)
        return err;
    change_name(d->image, kind, path, to, f);
    end(d, VDISK_NAME, path);
    return 0;
}

int vdisk_rename(struct vdisk *d, const char *from, const char *to)
{
    return change(d, NAME_MOVED, from, to);
}

int vdisk_unlink(struct vdisk *d, const char *path)
{
    return change(d, NAME_REMOVED, path, NULL);
}

int vdisk_mkdir(struct vdisk *d, const char *path)
{
    int err = find_file(d->image, path) ? -EEXIST : 0;

    if (!err)
        (void)make(d, path, true, &err);
    return err;
}

const char *vdisk_path(struct vdisk *d, int fd)
{
    return open_of(d, fd)->path;
}

const char *vdisk_entry(struct vdisk *d, int fd, size_t n)
{
    const struct names *names = &d->image->now;
    const char *directory = open_of(d, fd)->path;

    for (size_t i = 0; i < names->n; i++)
        if (is_within(names->at[i].path, directory) && n-- == 0)
            return strrchr(names->at[i].path, '/') + 1;
    return NULL;
}

bool vdisk_torn_at(const struct vdisk *d, const char *path, uint64_t at)
{
    const struct file *f = find_file(d->image, path);

    for (unsigned i = 0; f && i < TORN_MAX; i++)
        if (at >= f->torn[i].from && at < f->torn[i].to)
            return true;
    return false;
}

const char *vdisk_content(const struct vdisk *d, const char *path, size_t *n)
{
    const struct file *f = find_file(d->image, path);

    *n = f ? f->now.n : 0;
    return f && f->now.at ? f->now.at : f ? "" : NULL;
}

/* ---- life ---- */

struct vdisk *vdisk_new(uint64_t seed, const struct vdisk_hooks *hooks)
{
    struct vdisk *d = need(calloc(1, sizeof *d));

    d->hooks = *hooks;
    d->rng = (struct rng){seed ^ UINT64_C(0x4449534B)};
    d->sector = rng_chance(&d->rng, 50) ? 512 : 4096;
    d->image = image_new();
    struct file *root = file_new(d->image, ++d->numbers);

    root->directory = true;
    set_name(&d->image->now, VDISK_ROOT, root);
    set_name(&d->image->durable, VDISK_ROOT, root);
    return d;
}

void vdisk_free(struct vdisk *d)
{
    vdisk_exit(d);
    image_free(d->image);
    if (d->next)
        image_free(d->next);
    free(d);
}
