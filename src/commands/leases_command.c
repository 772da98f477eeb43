/* SPDX-License-Identifier: Apache-2.0 */
/*
 * leases_command.c - `jumpgate leases`; see commands.h.
 *
 *   list          shows all leases, oldest first
 *   release ID    ends one lease, of any session
 *   release --all ends every open lease
 *   release ID --terminate   ends one lease and its session at the PRA site
 *
 * The command calls a running gateway over its control socket, with the operators' interface. When none
 * listens there, it uses the store: `list` reads it, `release` marks leases that the next start checks in. A
 * gateway that runs without its socket still holds the store's lock, and the command fails.
 *
 * Not here: printing (leases_print.c), the store (leases_offline.c).
 */
#include "commands/commands.h"

#include "base/json.h"
#include "base/text.h"
#include "commands/control.h"
#include "commands/leases_offline.h"
#include "commands/leases_print.h"
#include "conf/conf.h"
#include "handlers/lease_json.h"
#include "loop/upstream/upstream.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ERRORS_MAX   (1U << 20)
#define READ_DEPTH   32
#define GRACE_MS     5000 /* added to the gateway's own timeout */
#define ENCODED_SIZE 2048
#define IDS_MAX      (SIZE_MAX / 2)

struct leases_run {
    const struct command_args *args;
    struct conf *conf;
    struct control_client *client;
    size_t released, pending, failures;
};

static int command_failed(const char *why)
{
    fprintf(stderr, "jumpgate: %s\n", why);
    return EXIT_FAILED;
}

static int no_lease(const char *id)
{
    fprintf(stderr, "jumpgate: there is no lease %s\n", id);
    return EXIT_NO_LEASE;
}

/* ---- asking the gateway ---- */

/* The answer as JSON, or NULL after saying why not. */
static cJSON *parse_answer(const struct control_answer *answer)
{
    const char *why = NULL;
    cJSON *json = json_parse(answer->body.data, answer->body.len, READ_DEPTH, JSON_EXACT, &why);

    if (!cJSON_IsObject(json)) {
        (void)command_failed("the gateway's answer is not understood");
        cJSON_Delete(json);
        return NULL;
    }
    return json;
}

static int explain_refusal(const struct control_answer *answer)
{
    cJSON *problem = parse_answer(answer);
    const char *detail = json_text(problem, "detail");

    if (problem)
        fprintf(stderr, "jumpgate: the gateway answers %d: %s\n", answer->status,
                *detail ? detail : "no reason given");
    cJSON_Delete(problem);
    return EXIT_FAILED;
}

/* 0 and an answer, an exit code after saying why, or -ECONNREFUSED: no gateway listens. */
static int ask_gateway(struct leases_run *r, const char *method, const char *target, const char *body,
                       struct control_answer *answer)
{
    int err = control_client_ask(r->client, method, target, body, answer);

    if (!err || err == -ECONNREFUSED)
        return err;
    fprintf(stderr, "jumpgate: cannot ask the gateway over its control socket: %s\n",
            *answer->why ? answer->why : strerror(-err));
    return EXIT_FAILED;
}

/* ---- listing, page by page ---- */

/* The consumer of the leases. */
struct sink {
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
    sink->row(sink->arg, &(struct lease_view){
                             .id = json_text(json, "id"),
                             .request_id = json_number(json, "request_id"),
                             .user = json_text(json, "user"),
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
                         });
    free(sessions);
    return true;
}

/* Shows one page and copies its `next` ("" = the last one). */
static int show_page(const struct control_answer *answer, const struct sink *sink, char next[ENCODED_SIZE])
{
    if (answer->status != 200)
        return explain_refusal(answer);
    cJSON *page = parse_answer(answer);
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
           add_parameter(target, "state", filter->state) &&
           (!*cursor || !buf_printf(target, "&cursor=%s", cursor));
}

/* 0, an exit code, or -ECONNREFUSED: no gateway listens. */
static int show_pages(struct leases_run *r, const struct lease_filter *filter, const struct sink *sink)
{
    char cursor[ENCODED_SIZE] = "";
    int code = EXIT_DONE;

    do {
        struct buf target = BUF_INIT(HTTP_MAX_TARGET);
        struct control_answer answer;

        if (!page_target(&target, filter, cursor)) {
            buf_free(&target);
            return command_failed("the filters are too long");
        }
        code = ask_gateway(r, "GET", buf_cstr(&target), NULL, &answer);
        if (!code)
            code = show_page(&answer, sink, cursor);
        control_answer_free(&answer);
        buf_free(&target);
    } while (code == EXIT_DONE && *cursor);
    return code;
}

static int list_store(struct leases_run *r, const struct lease_filter *filter, const struct sink *sink)
{
    char why[OFFLINE_WHY_SIZE];
    struct offline *o = offline_read(r->conf->gateway.state_dir, why);

    if (!o)
        return command_failed(why);
    fputs("jumpgate: the gateway is not running; this is what its store holds\n", stderr);
    int err = offline_list(o, filter, sink->row, sink->arg);
    offline_free(o);
    return err ? command_failed("out of memory") : EXIT_DONE;
}

static int list_leases(struct leases_run *r)
{
    struct lease_filter filter = {.user = args_value(r->args, "--user"),
                                  .session = args_value(r->args, "--session"),
                                  .state = args_value(r->args, "--state")};
    struct leases_print print = leases_print_start(args_given(r->args, "--json"));
    struct sink sink = {leases_print_row, &print};
    int code = r->client ? show_pages(r, &filter, &sink) : -ECONNREFUSED;

    if (code == -ECONNREFUSED)
        code = list_store(r, &filter, &sink);
    if (code == EXIT_DONE)
        return leases_print_end(&print) ? command_failed("out of memory") : EXIT_DONE;
    leases_print_drop(&print);
    return code;
}

/* ---- releasing ---- */

static int count_release(struct leases_run *r, const struct control_answer *answer)
{
    cJSON *json = parse_answer(answer);

    if (!json)
        return EXIT_FAILED;
    r->released += json_number(json, "released") > 0 ? 1 : 0;
    r->pending += cJSON_IsTrue(json_get(json, "pending")) ? 1 : 0;
    cJSON_Delete(json);
    return EXIT_DONE;
}

/* 0, an exit code, or -ECONNREFUSED. */
static int release_one(struct leases_run *r, const char *id)
{
    char target[ENCODED_SIZE + 32], encoded[ENCODED_SIZE];
    struct control_answer answer;

    if (!text_url_encode(encoded, sizeof(encoded), id))
        return EXIT_NO_LEASE;
    (void)snprintf(target, sizeof(target), "/v1/leases/%s/release", encoded);
    int code = ask_gateway(r, "POST", target, NULL, &answer);
    if (!code)
        code = answer.status == 404   ? EXIT_NO_LEASE
               : answer.status == 200 ? count_release(r, &answer)
                                      : explain_refusal(&answer);
    control_answer_free(&answer);
    return code;
}

/* ---- ending the session too ---- */

static int say_terminated(const cJSON *json)
{
    bool done = cJSON_IsTrue(json_get(json, "terminated"));
    int64_t more = json_number(json, "ended");

    printf("released %d lease; the session %s\n", json_number(json, "released") > 0 ? 1 : 0,
           done ? "was ended" : "had already ended");
    if (more > 0)
        printf("%d more of its leases ended with it\n", (int)more);
    if (cJSON_IsTrue(json_get(json, "pending")))
        puts("the vault has not confirmed yet; the gateway keeps trying");
    return EXIT_DONE;
}

/* A problem that says what was released was met after the release. */
static int explain_termination(const struct control_answer *answer)
{
    cJSON *json = parse_answer(answer);
    bool released = cJSON_IsNumber(json_get(json, "released"));
    int code = !json ? EXIT_FAILED : answer->status == 200 ? say_terminated(json) : explain_refusal(answer);

    cJSON_Delete(json);
    return code == EXIT_FAILED && released ? EXIT_ONLY_RELEASED : code;
}

static int terminate_one(struct leases_run *r, const char *id)
{
    char target[ENCODED_SIZE + 32], encoded[ENCODED_SIZE];
    struct control_answer answer;

    if (!r->client)
        return command_failed("the gateway is not running; nothing was touched");
    if (!text_url_encode(encoded, sizeof(encoded), id))
        return no_lease(id);
    (void)snprintf(target, sizeof(target), "/v1/leases/%s/release", encoded);
    int code = ask_gateway(r, "POST", target, "{\"terminate\":true}", &answer);
    if (code == -ECONNREFUSED)
        code = command_failed("the gateway is not running; nothing was touched");
    else if (!code)
        code = answer.status == 404 ? no_lease(id) : explain_termination(&answer);
    control_answer_free(&answer);
    return code;
}

static void on_id(void *ids, const struct lease_view *view)
{
    (void)buf_append(ids, view->id, strlen(view->id) + 1);
}

/* All ids first: releasing while leafing through pages would move what the pages show. */
static int release_all(struct leases_run *r)
{
    struct buf ids = BUF_INIT(IDS_MAX);
    struct lease_filter filter = {.state = "open"};
    int code = show_pages(r, &filter, &(struct sink){on_id, &ids});

    if (code == EXIT_DONE && ids.failed)
        code = command_failed("out of memory");
    for (size_t at = 0; code == EXIT_DONE && at < ids.len; at += strlen(ids.data + at) + 1) {
        int one = release_one(r, ids.data + at);
        if (one == -ECONNREFUSED)
            code = command_failed("the gateway has gone away");
        else if (one != EXIT_NO_LEASE) /* it has ended meanwhile */
            r->failures += one != EXIT_DONE;
    }
    buf_free(&ids);
    return code ? code : r->failures ? EXIT_FAILED : EXIT_DONE;
}

static int say_released(const struct leases_run *r)
{
    printf("released %zu lease%s\n", r->released, r->released == 1 ? "" : "s");
    if (r->pending)
        printf("the vault has not confirmed %zu yet; the gateway keeps trying\n", r->pending);
    return EXIT_DONE;
}

static int release_in_store(struct leases_run *r, const char *id)
{
    char why[OFFLINE_WHY_SIZE];
    size_t ended, unrecorded;
    int err = offline_release(r->conf, id, &ended, &unrecorded, why);

    if (err == -ENOENT && id)
        return no_lease(id);
    if (err)
        return command_failed(why);
    printf("the gateway is not running: %zu lease%s marked, to be checked in when it starts\n", ended,
           ended == 1 ? "" : "s");
    if (unrecorded)
        fprintf(stderr, "jumpgate: the audit trail may lack the end of %zu of them: %s\n", unrecorded, why);
    return EXIT_DONE;
}

static int release_leases(struct leases_run *r)
{
    const char *id = args_given(r->args, "--all") ? NULL : r->args->words[0];
    int code = -ECONNREFUSED;

    if (args_given(r->args, "--terminate"))
        return terminate_one(r, id);
    if (r->client)
        code = id ? release_one(r, id) : release_all(r);
    if (code == -ECONNREFUSED)
        return release_in_store(r, id);
    if (code == EXIT_NO_LEASE && id)
        return no_lease(id);
    if (code == EXIT_DONE || r->released)
        (void)say_released(r);
    return code;
}

/* ---- both ---- */

static struct conf *load_conf(const char *path)
{
    struct buf errors = BUF_INIT(ERRORS_MAX);
    struct conf *conf = NULL;

    if (conf_load(path, &conf, &errors) && errors.len)
        (void)fwrite(errors.data, 1, errors.len, stderr);
    buf_free(&errors);
    return conf;
}

/* Without a state directory there was never a gateway: then there is no store, and that is said. */
static int run_with(struct leases_run *r, int (*work)(struct leases_run *))
{
    int directory = control_directory(r->conf->gateway.state_dir);

    if (directory < 0 && directory != -ENOENT) {
        fprintf(stderr, "jumpgate: %s: %s\n", r->conf->gateway.state_dir, strerror(-directory));
        return EXIT_FAILED;
    }
    if (directory >= 0)
        r->client = control_client_new(directory, r->conf->gateway.request_timeout_ms + GRACE_MS);
    int code = directory >= 0 && !r->client ? command_failed("out of memory") : work(r);

    control_client_free(r->client);
    if (directory >= 0)
        (void)close(directory);
    return code;
}

static int run_command(const struct command_args *args, int (*work)(struct leases_run *))
{
    struct leases_run r = {.args = args};

    json_init();
    if (upstream_global_init())
        return command_failed("libcurl cannot be initialised");
    r.conf = load_conf(args->conf);
    int code = r.conf ? run_with(&r, work) : EXIT_FAILED;

    conf_free(r.conf);
    upstream_global_cleanup();
    return code ? code : command_finish_output();
}

int command_leases_list(const struct command_args *args)
{
    return run_command(args, list_leases);
}

int command_leases_release(const struct command_args *args)
{
    bool all = args_given(args, "--all");

    if (args_given(args, "--terminate") && all)
        return args_wrong(args, "--terminate goes with one id");
    if (all == (args->nwords == 1))
        return args_wrong(args, "either an ID or --all is needed");
    return run_command(args, release_leases);
}
