/* SPDX-License-Identifier: Apache-2.0 */
/*
 * copy.c - `jumpgate store copy`: the leases of a gateway from its file into etcd, or back; see commands.h.
 *
 * Neither end may be in use: the file's lock is taken, and no member of the cluster writes. From the first
 * write on no gateway can enter the cluster (c/moved, stores/etcd_move.h), and the source is marked before
 * the target can be used:
 *
 *   into etcd   file: BEGUN - etcd: c/moved in, empty - rows - verify - file: GONE - etcd: c/moved goes
 *   out of it   etcd: c/moved out - file: rows and CAME, one transaction, verified in it - etcd: c/moved gone
 *
 * So a command that was killed at any point leaves at most one end that a gateway can use, and that end has
 * all rows. Run once more, it goes on where it was. A move that is complete is recognised by its id.
 *
 * A target must be empty, but for rows that have been moved away from it before: two stores are not merged.
 *
 * A file keeps one cursor for a PRA site, and each gateway of a cluster its own. The way out takes that of
 * the node of the configuration, or where it has none the newest of the others, whose gateway has ended all
 * leases of the cluster up to there.
 */
#include "commands/store/copy.h"

#include "base/crash_point.h"
#include "base/jsonw.h"
#include "base/text.h"
#include "commands/commands.h"
#include "commands/operator_trail.h"
#include "stores/sqlite.h"
#include "stores/state_lock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RESULT_MAX 8192

static int file_failed(const struct copy *c, int err)
{
    fprintf(stderr, "jumpgate: %s: %s\n", c->file_name, strerror(-err));
    return EXIT_FAILED;
}

/* ---- the file ---- */

static bool has_file(const struct copy *c)
{
    char path[4096];

    (void)snprintf(path, sizeof(path), "%s/" SQLITE_STORE_FILE, c->file->gateway.state_dir);
    return access(path, F_OK) == 0;
}

static int open_file_dry(struct copy *c, char why[SQLITE_MOVE_WHY])
{
    const char *dir = c->file->gateway.state_dir;
    int err = state_lock_try(dir, why); /* without a change */

    if (err || !has_file(c))
        return err;
    (void)sqlite_store_moved(dir, &c->mark);
    if (c->mark.state != MOVE_GONE)
        err = sqlite_store_read(dir, &move_reader, &c->rows, why);
    return err;
}

static int open_file(struct copy *c)
{
    char why[SQLITE_MOVE_WHY] = "";
    int err = 0;

    if (c->into_etcd && !has_file(c)) {
        fprintf(stderr, "jumpgate: there is no lease store in %s\n", c->file->gateway.state_dir);
        return EXIT_FAILED;
    }
    if (c->dry) {
        err = open_file_dry(c, why);
    } else {
        c->sqlite = sqlite_move_open(c->file->gateway.state_dir, why);
        if (!c->sqlite)
            return command_failed(why);
        err = sqlite_move_state(c->sqlite, &c->mark);
        if (!err && c->mark.state != MOVE_GONE)
            err = sqlite_move_load(c->sqlite, &c->rows);
    }
    return !err ? EXIT_DONE : *why ? command_failed(why) : file_failed(c, err);
}

static int set_mark(struct copy *c, enum move_state state)
{
    c->mark.state = state;
    (void)snprintf(c->mark.tag, sizeof(c->mark.tag), "%s", c->tag);
    (void)snprintf(c->mark.peer, sizeof(c->mark.peer), "%s", c->etcd_name);
    int err = sqlite_move_set(c->sqlite, &c->mark);

    return err ? file_failed(c, err) : EXIT_DONE;
}

static int new_id(char id[ID_SIZE])
{
    return id_new(id) ? command_failed("there is no randomness") : EXIT_DONE;
}

static int end_rows(struct copy *c)
{
    move_rows_end(&c->rows, &c->odd);
    return move_rows_digest(&c->rows, c->digest) ? command_failed("out of memory") : EXIT_DONE;
}

static int explain_moved(const struct copy *c)
{
    char why[ETCD_MOVED_WHY];

    etcd_moved_explain(&c->moved, why);
    return command_failed(why);
}

static int agree(const struct copy *c, const char *from, const char *to)
{
    char question[1024];

    (void)snprintf(
        question, sizeof(question),
        "move %zu vault request(s) and %zu lease(s) from %s to %s? The gateways use that store from "
        "then on.",
        c->rows.nrequests, c->rows.nleases, from, to);
    return store_command_agreed(c->command->args, question) ? EXIT_DONE
                                                            : command_failed("nothing was copied");
}

/* ---- into etcd ---- */

/* Has a command before this one marked the file, and not been able to go on? */
static int complete_in(struct copy *c)
{
    if (c->has_moved && c->moved.kind == ETCD_MOVED_IN && strcmp(c->moved.id, c->mark.id) == 0)
        return c->dry ? EXIT_DONE : copy_release(c);
    if (strcmp(c->tag, c->mark.tag) == 0) {
        c->done_before = true;
        return EXIT_DONE;
    }
    fprintf(stderr, "jumpgate: the leases of %s were moved to %s, which is another store than %s\n",
            c->file_name, c->mark.peer, c->etcd_name);
    return EXIT_FAILED;
}

/* May the rows come into this cluster? *stale = what it has was moved away from it. */
static int judge_target(const struct copy *c, bool *resumed, bool *stale)
{
    bool same = c->has_moved && strcmp(c->moved.id, c->mark.id) == 0;

    *resumed = same && c->moved.kind == ETCD_MOVED_IN && c->mark.state == MOVE_BEGUN;
    *stale = c->has_moved && (c->moved.kind == ETCD_MOVED_GONE ||
                              (same && c->moved.kind == ETCD_MOVED_OUT && c->mark.state == MOVE_CAME));
    if (c->has_moved && !*resumed && !*stale)
        return explain_moved(c);
    if (!c->has_moved && c->netcd) {
        fprintf(stderr,
                "jumpgate: %s has %zu rows of its own: a copy goes into an empty store; end its leases first "
                "(jumpgate leases release --all)\n",
                c->etcd_name, c->netcd);
        return EXIT_FAILED;
    }
    return EXIT_DONE;
}

static int begin_in(struct copy *c)
{
    int code = new_id(c->mark.id);

    if (!code && !*c->tag && sqlite_move_tag(c->sqlite, c->tag))
        code = command_failed("the tag of the file cannot be read");
    if (!code)
        code = set_mark(c, MOVE_BEGUN);
    return code ? code : copy_lock(c, ETCD_MOVED_IN, c->mark.id, c->file_name, true);
}

static int into_etcd(struct copy *c)
{
    bool resumed, stale;
    int code = copy_look(c);

    if (!code && c->mark.state == MOVE_GONE)
        return complete_in(c);
    if (!code)
        code = judge_target(c, &resumed, &stale);
    if (!code)
        code = copy_stop_members(c);
    if (!code)
        code = end_rows(c);
    if (code || c->dry)
        return code;
    code = resumed ? EXIT_DONE : agree(c, c->file_name, c->etcd_name);
    if (!code && !resumed)
        code = begin_in(c);
    if (!code)
        code = copy_write_rows(c);
    if (!code)
        code = copy_verify(c);
    if (!code)
        code = set_mark(c, MOVE_GONE);
    crash_point("store_copy.file.gone");
    return code ? code : copy_release(c);
}

/* ---- out of etcd ---- */

/* Is the file one that may be filled? Rows that were moved away from it are replaced. */
static int judge_file(struct copy *c)
{
    size_t n = c->rows.nrequests + c->rows.nleases;

    if (c->mark.state != MOVE_GONE && n) {
        fprintf(stderr,
                "jumpgate: %s has %zu rows of its own: a copy goes into an empty store; end its leases first "
                "(jumpgate leases release --all)\n",
                c->file_name, n);
        return EXIT_FAILED;
    }
    move_rows_free(&c->rows); /* its cursors, which those of the cluster replace */
    return EXIT_DONE;
}

/* A site's cursor of any node, where the own one is not known. */
static int on_cursor(void *arg, const char *key, const struct etcd_kv *kv)
{
    struct move_rows *rows = arg;
    const char *at = strrchr(key, '/');
    char site[256];
    int64_t ms;

    if (!at || !text_copy(site, sizeof(site), at + 1) || !text_url_decode(site, false) ||
        !text_int(kv->value.data ? kv->value.data : "", INT64_MIN, INT64_MAX, &ms))
        return -EUCLEAN;
    for (size_t i = 0; i < rows->ncursors; i++) {
        if (strcmp(rows->cursors[i].site, site) != 0)
            continue;
        if (rows->cursors[i].cursor_ms < ms)
            rows->cursors[i].cursor_ms = ms;
        return 0;
    }
    return move_reader.cursor(rows, &(struct cursor_row){site, ms});
}

static bool has_cursor(const struct move_rows *rows, const char *site)
{
    for (size_t i = 0; i < rows->ncursors; i++)
        if (strcmp(rows->cursors[i].site, site) == 0)
            return true;
    return false;
}

static int read_rows(struct copy *c)
{
    struct move_rows others = {.nrequests = 0};
    int err = store_calls_rows(&c->calls, &move_reader, &c->rows);

    if (!err)
        err = store_calls_range(&c->calls, "p/", "p0", on_cursor, &others);
    for (size_t i = 0; !err && i < others.ncursors; i++)
        if (!has_cursor(&c->rows, others.cursors[i].site))
            err = move_reader.cursor(&c->rows, &others.cursors[i]);
    move_rows_free(&others);
    return err ? copy_failed(c, err) : end_rows(c);
}

static int fill_file(struct copy *c)
{
    c->mark = (struct store_move){.state = MOVE_CAME};
    (void)snprintf(c->mark.id, sizeof(c->mark.id), "%s", c->moved.id);
    (void)snprintf(c->mark.tag, sizeof(c->mark.tag), "%s", c->tag);
    (void)snprintf(c->mark.peer, sizeof(c->mark.peer), "%s", c->etcd_name);
    int err = sqlite_move_fill(c->sqlite, &c->rows, &c->mark);

    crash_point("store_copy.file.filled");
    if (err == -EBADMSG)
        return command_failed(
            "what was read back from the file is not what was written; the file is as it was");
    return err ? file_failed(c, err) : EXIT_DONE;
}

/* What a command before this one has left. *at = how far it came. */
enum out_at { OUT_BEGINS, OUT_LOCKED, OUT_FILLED, OUT_DONE };

static int judge_source(struct copy *c, enum out_at *at)
{
    bool came = c->has_moved && c->mark.state == MOVE_CAME && strcmp(c->moved.id, c->mark.id) == 0;

    *at = !c->has_moved ? OUT_BEGINS : OUT_LOCKED;
    if (came && c->moved.kind == ETCD_MOVED_GONE)
        *at = OUT_DONE;
    else if (came && c->moved.kind == ETCD_MOVED_OUT)
        *at = OUT_FILLED;
    else if (c->has_moved && (c->moved.kind != ETCD_MOVED_OUT || strcmp(c->moved.peer, c->file_name) != 0))
        return explain_moved(c);
    if (*c->tag)
        return EXIT_DONE;
    fprintf(stderr, "jumpgate: no gateway has used %s yet: there is nothing to copy\n", c->etcd_name);
    return EXIT_FAILED;
}

static int begin_out(struct copy *c)
{
    char id[ID_SIZE];
    int code = copy_stop_members(c);

    if (!code && c->dry)
        return EXIT_DONE;
    if (!code)
        code = new_id(id);
    return code ? code : copy_lock(c, ETCD_MOVED_OUT, id, c->file_name, false);
}

static int agree_out(struct copy *c)
{
    struct move_rows before = {.nrequests = 0};
    int code = read_rows(c);

    if (!code)
        code = agree(c, c->etcd_name, c->file_name);
    move_rows_free(&c->rows); /* they are read again when nothing changes them any more */
    c->rows = before;
    return code;
}

static int out_of_etcd(struct copy *c)
{
    enum out_at at = OUT_BEGINS;
    int code = copy_look(c);

    if (!code)
        code = judge_source(c, &at);
    c->done_before = !code && at == OUT_DONE;
    if (code || at >= OUT_FILLED)
        return code || at == OUT_DONE || c->dry ? code : copy_set_gone(c);
    code = judge_file(c);
    if (!code && at == OUT_BEGINS && !c->dry)
        code = agree_out(c);
    if (!code && at == OUT_BEGINS)
        code = begin_out(c);
    if (!code)
        code = read_rows(c);
    if (code || c->dry)
        return code;
    code = fill_file(c);
    return code ? code : copy_set_gone(c);
}

/* ---- what was done ---- */

static void count_states(const struct copy *c, size_t counts[REQUEST_NSTATES])
{
    memset(counts, 0, REQUEST_NSTATES * sizeof(*counts));
    for (size_t i = 0; i < c->rows.nrequests; i++)
        counts[c->rows.requests[i]->state]++;
}

static int print_json(const struct copy *c, const size_t counts[REQUEST_NSTATES])
{
    struct buf out = BUF_INIT(RESULT_MAX);
    struct jsonw w = jsonw_start(&out);

    jsonw_object(&w, NULL);
    jsonw_str(&w, "from", c->into_etcd ? c->file_name : c->etcd_name);
    jsonw_str(&w, "to", c->into_etcd ? c->etcd_name : c->file_name);
    jsonw_bool(&w, "dry_run", c->dry);
    jsonw_bool(&w, "done_before", c->done_before);
    jsonw_object(&w, "requests");
    for (size_t i = 0; i < REQUEST_NSTATES; i++)
        jsonw_int(&w, request_state_words[i], (int64_t)counts[i]);
    jsonw_end(&w);
    jsonw_int(&w, "leases", (int64_t)c->rows.nleases);
    jsonw_int(&w, "cursors", (int64_t)c->rows.ncursors);
    jsonw_int(&w, "left_out", (int64_t)c->odd);
    jsonw_int(&w, "newer_rows", (int64_t)c->calls.strange);
    jsonw_str(&w, "digest", *c->digest ? c->digest : NULL);
    jsonw_end(&w);
    return command_print(&out);
}

static int say_counts(const struct copy *c)
{
    const char *from = c->into_etcd ? c->file_name : c->etcd_name,
               *to = c->into_etcd ? c->etcd_name : c->file_name;
    size_t counts[REQUEST_NSTATES];

    count_states(c, counts);
    if (args_given(c->command->args, "--json"))
        return print_json(c, counts);
    if (c->done_before) {
        printf("the leases of %s were moved to %s before: there is nothing to do\n", from, to);
        return EXIT_DONE;
    }
    printf("%s %zu vault request(s) from %s to %s:\n ", c->dry ? "would move" : "moved", c->rows.nrequests,
           from, to);
    for (size_t i = 0; i < REQUEST_NSTATES; i++)
        printf(" %zu %s%s", counts[i], request_state_words[i], i + 1 < REQUEST_NSTATES ? "," : "");
    printf("; %zu lease(s), %zu cursor(s)\n", c->rows.nleases, c->rows.ncursors);
    if (c->odd)
        printf("%zu lease(s) were left out: no request is held for them any more\n", c->odd);
    if (c->calls.strange)
        printf("%zu row(s) have members that this version does not know: the file does not have them\n",
               c->calls.strange);
    if (!c->dry && *c->digest)
        printf("both stores have the same rows: %s\n", c->digest);
    return EXIT_DONE;
}

static void record(const struct copy *c)
{
    const char *from = c->into_etcd ? c->file_name : c->etcd_name,
               *to = c->into_etcd ? c->etcd_name : c->file_name;
    const struct operator_word words[] = {{"from", from}, {"to", to}, {"digest", c->digest}, {NULL, NULL}};

    operator_trail_record(c->command->loop, c->command->conf, "store_copy", words);
}

/* ---- the command ---- */

/* A name of each end that stays the same as long as it is the same end. */
static void name_ends(struct copy *c)
{
    char *real = realpath(c->file->gateway.state_dir, NULL);

    (void)snprintf(c->file_name, sizeof(c->file_name), "%.200s/" SQLITE_STORE_FILE,
                   real ? real : c->file->gateway.state_dir);
    free(real);
    (void)snprintf(c->etcd_name, sizeof(c->etcd_name), "etcd %.100s%.100s", c->etcd->store.endpoints.item[0],
                   c->etcd->store.prefix);
}

static int copy_with(struct copy *c)
{
    int code = EXIT_DONE;

    name_ends(c);
    if (store_calls_open(&c->calls, c->command->loop, &c->etcd->store))
        code = command_failed(c->calls.why);
    if (!code)
        code = open_file(c);
    if (!code)
        code = c->into_etcd ? into_etcd(c) : out_of_etcd(c);
    if (!code && !c->dry && !c->done_before)
        record(c);
    if (!code)
        code = say_counts(c);
    sqlite_move_close(c->sqlite);
    store_calls_close(&c->calls);
    move_rows_free(&c->rows);
    return code;
}

static int copy(struct store_command *command)
{
    struct copy *c = calloc(1, sizeof(*c));
    int code = c ? EXIT_FAILED : command_failed("out of memory");

    if (!c)
        return code;
    c->command = command;
    c->dry = args_given(command->args, "--dry-run");
    c->other = store_command_conf(args_value(command->args, "--to-config"));
    if (c->other && (c->other->store.type == STORE_ETCD) == (command->conf->store.type == STORE_ETCD)) {
        code = command_failed(
            "one of the two configurations has `type = etcd` in [store], and the other has not");
    } else if (c->other) {
        c->into_etcd = c->other->store.type == STORE_ETCD;
        c->file = c->into_etcd ? command->conf : c->other;
        c->etcd = c->into_etcd ? c->other : command->conf;
        code = copy_with(c);
    }
    conf_free(c->other);
    free(c);
    return code;
}

int command_store_copy(const struct command_args *args)
{
    if (!args_given(args, "--to-config"))
        return args_wrong(args, "--to-config is needed");
    return store_command(args, true, copy);
}
