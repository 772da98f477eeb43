/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command.c - `jumpgate leases`; see commands.h.
 *
 *   list          shows the leases that are chosen, oldest first
 *   release ID    ends one lease, of any session
 *   release --all ends every open lease that is chosen
 *   release ID --terminate   ends one lease and its session at the PRA site
 *   checkin CREDENTIAL_ID    checks a credential in of which the gateway has no row
 *
 * The command calls a running gateway over its control socket, with the operators' interface. When none
 * listens there, it uses the store: `list` reads it, `release` marks leases that the next start checks in. A
 * gateway that runs without its socket still holds the store's lock, and the command fails.
 *
 * On a terminal `release --all` asks before it ends anything, with the number of leases. A script is not
 * asked.
 *
 * Not here: which leases (choice.c), printing (print.c), the store (offline.c).
 */
#include "commands/commands.h"

#include "base/jsonw.h"
#include "base/text.h"
#include "commands/control_command.h"
#include "commands/leases/choice.h"
#include "commands/leases/etcd.h"
#include "commands/leases/offline.h"
#include "commands/leases/print.h"
#include "commands/line/terminal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENCODED_SIZE 2048
#define IDS_MAX      (SIZE_MAX / 2)
#define RESULT_MAX   4096

struct leases_run {
    struct control_command *control;
    struct leases_choice choice;
};

/* What became of the leases. */
struct outcome {
    bool all, offline, forget, terminate; /* terminate: the session was to end too */
    size_t released, pending, failed, unrecorded;
    size_t ended_with_it; /* more leases of the session that was ended */
    bool terminated;      /* the session was ended; false = it had ended already */
};

static int no_lease(const char *id)
{
    fputs("jumpgate: there is no lease ", stderr);
    terminal_text(stderr, id);
    fputc('\n', stderr);
    return EXIT_NO_LEASE;
}

/* ---- listing, page by page ---- */

/* The consumer of the leases that are chosen. */
struct sink {
    const struct leases_choice *choice;
    void (*row)(void *arg, const struct lease_view *);
    void *arg;
};

static bool show_lease(const cJSON *json, const struct sink *sink)
{
    const cJSON *list = json_get(json, "sessions"), *one;
    const char **sessions = calloc((size_t)cJSON_GetArraySize(list) + 1, sizeof(*sessions));
    size_t n = 0;

    if (!sessions)
        return false;
    cJSON_ArrayForEach(one, list) sessions[n++] = cJSON_IsString(one) ? one->valuestring : "";
    struct lease_view view = {
        .id = json_text(json, "id"),
        .request_id = json_number(json, "request_id"),
        .request_key = cJSON_GetStringValue(json_get(json, "request_key")),
        .user = json_text(json, "user"),
        .run_as = cJSON_GetStringValue(json_get(json, "run_as")),
        .sessions = sessions,
        .nsessions = n,
        .lsid = cJSON_GetStringValue(json_get(json, "lsid")),
        .credential_id = json_text(json, "credential_id"),
        .system = json_text(json, "system"),
        .account = json_text(json, "account"),
        .state = json_text(json, "state"),
        .adopted = cJSON_IsTrue(json_get(json, "adopted")),
        .created_wall_ms = clock_vault_date(json_text(json, "created_at")),
        .expires_wall_ms = clock_vault_date(json_text(json, "expires_at")),
        .attempts = json_number(json, "attempts"),
        .last_error = json_text(json, "last_error"),
        .node = cJSON_GetStringValue(json_get(json, "node")),
    };
    if (leases_choice_fits(sink->choice, &view))
        sink->row(sink->arg, &view);
    free(sessions);
    return true;
}

/* Shows one page and copies its `next` ("" = the last one). */
static int show_page(const struct control_answer *answer, const struct sink *sink, char next[ENCODED_SIZE])
{
    if (answer->status != 200)
        return control_refused(answer);
    cJSON *page = control_answer_json(answer);
    const cJSON *lease;
    bool good = page;

    if (!page)
        return EXIT_FAILED;
    cJSON_ArrayForEach(lease, json_get(page, "leases")) good = good && show_lease(lease, sink);
    good = good && text_url_encode(next, ENCODED_SIZE, json_text(page, "next"));
    cJSON_Delete(page);
    return good ? EXIT_DONE : command_failed("out of memory");
}

static bool add_parameter(struct buf *target, const char *name, const char *value)
{
    char encoded[ENCODED_SIZE];

    if (!value)
        return true;
    return text_url_encode(encoded, sizeof(encoded), value) && !buf_printf(target, "&%s=%s", name, encoded);
}

static bool page_target(struct buf *target, const struct lease_filter *filter, const char *cursor)
{
    return !buf_str(target, "/v1/leases?limit=1000") && add_parameter(target, "user", filter->user) &&
           add_parameter(target, "session", filter->session) &&
           add_parameter(target, "state", filter->state) && add_parameter(target, "node", filter->node) &&
           (!*cursor || !buf_printf(target, "&cursor=%s", cursor));
}

/* 0, an exit code, or -ECONNREFUSED: no gateway listens. */
static int show_pages(struct leases_run *r, const struct sink *sink)
{
    char cursor[ENCODED_SIZE] = "";
    int code = EXIT_DONE;

    do {
        struct buf target = BUF_INIT(HTTP_MAX_TARGET);
        struct control_answer answer;

        if (!page_target(&target, &sink->choice->filter, cursor)) {
            buf_free(&target);
            return command_failed("the filters are too long");
        }
        code = control_ask(r->control, "GET", buf_cstr(&target), NULL, &answer);
        if (!code)
            code = show_page(&answer, sink, cursor);
        control_answer_free(&answer);
        buf_free(&target);
    } while (code == EXIT_DONE && *cursor);
    return code;
}

static int show_rows(struct leases_run *r, const struct sink *sink, struct offline_store *other)
{
    char why[OFFLINE_WHY_SIZE];
    struct offline *o = offline_read(r->control->conf->gateway.state_dir, other, why);

    if (!o)
        return command_failed(why);
    fputs("jumpgate: the gateway is not running; this is what its store holds\n", stderr);
    int err = offline_list(o, sink->choice, sink->row, sink->arg);

    offline_free(o);
    return err ? command_failed("out of memory") : EXIT_DONE;
}

static bool is_etcd(const struct leases_run *r)
{
    return r->control->conf->store.type == STORE_ETCD;
}

static int show_store(struct leases_run *r, const struct sink *sink)
{
    struct leases_etcd etcd;

    if (!is_etcd(r))
        return show_rows(r, sink, NULL);
    int code = leases_etcd_open(&etcd, r->control->args);

    if (!code)
        code = show_rows(r, sink, &etcd.store);
    leases_etcd_close(&etcd);
    return code;
}

/* ---- --node ---- */

static bool is_member(const cJSON *cluster, const char *node)
{
    const cJSON *one;

    cJSON_ArrayForEach(one, json_get(cluster, "members"))
    {
        if (strcmp(json_text(one, "node"), node) == 0)
            return true;
    }
    return false;
}

/* EXIT_DONE and whether a gateway of this name is in the cluster, or an exit code after saying why not. */
static int ask_for_node(struct leases_run *r, const char *node, bool *is)
{
    cJSON *status = NULL;
    int code = control_ask_json(r->control, "GET", "/status", 0, &status);

    *is = is_member(json_get(status, "cluster"), node);
    cJSON_Delete(status);
    return code;
}

static int read_node(struct leases_run *r, const char *node, bool *is)
{
    struct leases_etcd etcd;

    *is = false;
    if (!is_etcd(r))
        return EXIT_DONE;
    int code = leases_etcd_open(&etcd, r->control->args);

    if (!code)
        code = leases_etcd_find_node(&etcd, node, is);
    leases_etcd_close(&etcd);
    return code;
}

/* For a choice that has left no lease: says so where --node names no gateway of the cluster. EXIT_DONE, or
 * EXIT_FAILED after saying why. */
static int check_node(struct leases_run *r, bool offline)
{
    const char *node = r->choice.filter.node;
    bool is = true;
    char text[192];
    int code = !node ? EXIT_DONE : offline ? read_node(r, node, &is) : ask_for_node(r, node, &is);

    if (code || is)
        return code;
    (void)snprintf(text, sizeof(text), "the cluster has no gateway %.63s%s", node,
                   is_etcd(r) ? "; `jumpgate cluster` lists them"
                              : ": the gateway has its store for itself ([store] has no `type = etcd`)");
    return command_failed(text);
}

/* ---- the list ---- */

static int list_leases(struct leases_run *r)
{
    const struct command_args *args = r->control->args;
    struct leases_print print =
        leases_print_start(args_given(args, "--json"), args_given(args, "--wide"), is_etcd(r));
    struct sink sink = {&r->choice, leases_print_row, &print};
    int code = show_pages(r, &sink);
    bool offline = code == -ECONNREFUSED;

    if (offline)
        code = show_store(r, &sink);
    if (code == EXIT_DONE && !print.n)
        code = check_node(r, offline);
    if (code == EXIT_DONE)
        return leases_print_end(&print) ? command_failed("out of memory") : EXIT_DONE;
    leases_print_drop(&print);
    return code;
}

/* ---- the outcome ---- */

static void say_text(const struct outcome *o)
{
    const char *s = o->released == 1 ? "" : "s";

    if (o->all && !o->released && !o->failed)
        puts("no leases");
    else if (o->offline)
        printf("the gateway is not running: %zu lease%s marked, to be checked in when it starts\n",
               o->released, s);
    else if (o->terminate)
        printf("released %zu lease%s; the session %s\n", o->released, s,
               o->terminated ? "was ended" : "had already ended");
    else
        printf("released %zu lease%s\n", o->released, s);
    if (o->ended_with_it)
        printf("%zu more of its leases ended with it\n", o->ended_with_it);
    if (o->pending)
        printf("the vault has not confirmed %zu yet; the gateway keeps trying\n", o->pending);
}

static int say_json(const struct outcome *o)
{
    struct buf out = BUF_INIT(RESULT_MAX);
    struct jsonw w = jsonw_start(&out);

    jsonw_object(&w, NULL);
    jsonw_bool(&w, "gateway_running", !o->offline);
    jsonw_int(&w, "released", (int64_t)o->released);
    jsonw_int(&w, "pending", (int64_t)o->pending);
    jsonw_int(&w, "failed", (int64_t)o->failed);
    if (o->terminate) {
        jsonw_bool(&w, "terminated", o->terminated);
        jsonw_int(&w, "ended", (int64_t)o->ended_with_it);
    }
    jsonw_end(&w);
    return command_print(&out);
}

static int say_forgotten(const struct outcome *o)
{
    printf("The check-in is given up%s.\n",
           o->pending ? " as soon as the call that is under way has ended" : "");
    return EXIT_DONE;
}

static int say_outcome(const struct leases_run *r, const struct outcome *o)
{
    if (args_given(r->control->args, "--json"))
        return say_json(o);
    if (o->forget)
        return say_forgotten(o);
    say_text(o);
    return EXIT_DONE;
}

/* ---- releasing ---- */

static int count_release(struct outcome *o, const struct control_answer *answer)
{
    cJSON *json = control_answer_json(answer);

    if (!json)
        return EXIT_FAILED;
    o->released += json_number(json, "released") > 0 ? 1 : 0;
    o->pending += cJSON_IsTrue(json_get(json, "pending")) ? 1 : 0;
    o->terminated = cJSON_IsTrue(json_get(json, "terminated"));
    o->ended_with_it = json_number(json, "ended") > 0 ? (size_t)json_number(json, "ended") : 0;
    cJSON_Delete(json);
    return EXIT_DONE;
}

/* A problem that says what was released was met after the release. */
static int explain_release(const struct control_answer *answer)
{
    cJSON *json = control_answer_json(answer);
    bool released = cJSON_IsNumber(json_get(json, "released"));

    if (json)
        (void)control_refused(answer);
    cJSON_Delete(json);
    return released ? EXIT_ONLY_RELEASED : EXIT_FAILED;
}

/* 0, an exit code, or -ECONNREFUSED. */
static int release_one(struct leases_run *r, const char *id, struct outcome *o)
{
    char target[ENCODED_SIZE + 32], encoded[ENCODED_SIZE];
    struct control_answer answer;

    if (!text_url_encode(encoded, sizeof(encoded), id))
        return EXIT_NO_LEASE;
    (void)snprintf(target, sizeof(target), "/v1/leases/%s/release", encoded);
    int code = control_ask(r->control, "POST", target,
                           o->terminate ? "{\"terminate\":true}"
                           : o->forget  ? "{\"forget\":true}"
                                        : NULL,
                           &answer);

    if (!code)
        code = answer.status == 404   ? EXIT_NO_LEASE
               : answer.status == 200 ? count_release(o, &answer)
                                      : explain_release(&answer);
    control_answer_free(&answer);
    return code;
}

static int release_rows(struct leases_run *r, const struct conf *conf, struct offline_store *other,
                        const char *id)
{
    struct outcome o = {.all = !id, .offline = true};
    char why[OFFLINE_WHY_SIZE];
    int err = offline_release(conf, other, id, &r->choice, &o.released, &o.unrecorded, why);

    if (err == -ENOENT && id)
        return no_lease(id);
    if (err)
        return command_failed(why);
    if (o.unrecorded)
        fprintf(stderr, "jumpgate: the audit trail may lack the end of %zu of them: %s\n", o.unrecorded, why);
    return say_outcome(r, &o);
}

static int release_in_store(struct leases_run *r, const char *id)
{
    struct leases_etcd etcd;

    if (!is_etcd(r))
        return control_conf_sound(r->control) ? release_rows(r, r->control->conf, NULL, id) : EXIT_FAILED;
    int code = leases_etcd_open(&etcd, r->control->args);

    if (!code)
        code = release_rows(r, etcd.command.conf, &etcd.store, id);
    leases_etcd_close(&etcd);
    return code;
}

static int release_by_id(struct leases_run *r, const char *id)
{
    struct outcome o = {.terminate = args_given(r->control->args, "--terminate"),
                        .forget = args_given(r->control->args, "--forget")};
    int code = release_one(r, id, &o);

    if (code == -ECONNREFUSED)
        return o.terminate || o.forget ? command_failed("the gateway is not running; nothing was touched")
                                       : release_in_store(r, id);
    if (code == EXIT_NO_LEASE)
        return no_lease(id);
    return code ? code : say_outcome(r, &o);
}

/* ---- releasing all ---- */

static void on_id(void *ids, const struct lease_view *view)
{
    (void)buf_append(ids, view->id, strlen(view->id) + 1);
}

static size_t count_ids(const struct buf *ids)
{
    size_t n = 0;

    for (size_t at = 0; at < ids->len; at++)
        n += ids->data[at] == '\0';
    return n;
}

/* True = go on. */
static bool ask_before(const struct leases_run *r, size_t n)
{
    const char *node = r->choice.filter.node;
    char question[192];

    if (args_given(r->control->args, "--yes") || !terminal_can_ask())
        return true;
    (void)snprintf(question, sizeof(question), "release %zu lease%s%s%.63s?", n, n == 1 ? "" : "s",
                   r->control->conf->store.type != STORE_ETCD ? ""
                   : node                                     ? " of the gateway "
                          : " of the whole cluster, at all of its gateways",
                   node ? node : "");
    return terminal_ask(question);
}

static int release_ids(struct leases_run *r, const struct buf *ids)
{
    struct outcome o = {.all = true};
    int code = EXIT_DONE;

    for (size_t at = 0; code == EXIT_DONE && at < ids->len; at += strlen(ids->data + at) + 1) {
        int one = release_one(r, ids->data + at, &o);
        if (one == -ECONNREFUSED)
            code = command_failed("the gateway has gone away");
        else if (one != EXIT_NO_LEASE) /* it has ended meanwhile */
            o.failed += one != EXIT_DONE;
    }
    int said = code == EXIT_DONE || o.released ? say_outcome(r, &o) : EXIT_DONE;

    return code ? code : o.failed ? EXIT_FAILED : said;
}

/* All ids first: releasing while leafing through pages would move what the pages show. */
static int release_all(struct leases_run *r)
{
    struct buf ids = BUF_INIT(IDS_MAX);
    struct sink sink = {&r->choice, on_id, &ids};

    r->choice.filter.state = "open";
    int code = show_pages(r, &sink);
    bool offline = code == -ECONNREFUSED;

    if (offline)
        code = show_store(r, &sink);
    if (code == EXIT_DONE && ids.failed)
        code = command_failed("out of memory");
    size_t n = code ? 0 : count_ids(&ids);
    if (!code && !n)
        code = check_node(r, offline);
    if (!code && n && !ask_before(r, n))
        code = command_failed("nothing was released");
    else if (!code)
        code = offline ? release_in_store(r, NULL) : release_ids(r, &ids);
    buf_free(&ids);
    return code;
}

/* ---- both ---- */

static int list(struct control_command *c)
{
    struct leases_run r = {.control = c};
    int code = leases_choice_read(c->args, &r.choice);

    return code ? code : list_leases(&r);
}

static int release(struct control_command *c)
{
    struct leases_run r = {.control = c};
    int code = leases_choice_read(c->args, &r.choice);

    return code ? code : c->args->nwords ? release_by_id(&r, c->args->words[0]) : release_all(&r);
}

/* ---- a credential, by hand ---- */

static int say_checked_in(const struct control_command *c, const struct control_answer *answer)
{
    cJSON *json = control_answer_json(answer);
    bool pending = cJSON_IsTrue(json_get(json, "pending"));

    if (!json)
        return EXIT_FAILED;
    cJSON_Delete(json);
    if (args_given(c->args, "--json"))
        printf("{\"checked_in\":%s,\"pending\":%s}\n", pending ? "false" : "true",
               pending ? "true" : "false");
    else
        puts(pending ? "the vault has not confirmed yet; the gateway keeps trying" : "checked in");
    return EXIT_DONE;
}

static int checkin(struct control_command *c)
{
    char target[ENCODED_SIZE + 32], encoded[ENCODED_SIZE];
    struct control_answer answer;

    if (!*c->args->words[0] || !text_url_encode(encoded, sizeof(encoded), c->args->words[0]))
        return command_failed("this is no credential id");
    (void)snprintf(target, sizeof(target), "/v1/credentials/%s/checkin", encoded);
    int code = control_ask(c, "POST", target, NULL, &answer);

    if (code == -ECONNREFUSED)
        code = command_failed("the gateway is not running; nothing was touched");
    else if (!code)
        code = answer.status == 200 ? say_checked_in(c, &answer) : control_refused(&answer);
    control_answer_free(&answer);
    return code;
}

int command_leases_checkin(const struct command_args *args)
{
    return control_command(args, checkin);
}

int command_leases_list(const struct command_args *args)
{
    return control_command(args, list);
}

int command_leases_release(const struct command_args *args)
{
    static const char *const with_all[] = {"--user",       "--session", "--vault", "--state",
                                           "--older-than", "--overdue", "--node",  "--yes"};
    bool all = args_given(args, "--all");

    if (args_given(args, "--terminate") && all)
        return args_wrong(args, "--terminate goes with one id");
    if (args_given(args, "--forget") && (all || args_given(args, "--terminate")))
        return args_wrong(args, "--forget goes with one id, and without --terminate");
    for (size_t i = 0; !all && i < sizeof(with_all) / sizeof(*with_all); i++)
        if (args_given(args, with_all[i]))
            return args_wrong(args, "%s goes with --all", with_all[i]);
    if (all == (args->nwords == 1))
        return args_wrong(args, "either an ID or --all is needed");
    return control_command(args, release);
}
