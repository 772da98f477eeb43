/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ask.c - asks a running gateway for what `jumpgate top` shows; see ask.h.
 */
#include "commands/top/ask.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "commands/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CALL_MS     3000 /* for each answer */
#define CURSOR_SIZE 64
#define READ_DEPTH  32
#define TARGET_SIZE 512

struct top_ask {
    const char *state_dir;
    const atomic_bool *stop;
    int directory;                 /* -1 = not open */
    struct control_client *client; /* NULL = not open */
};

struct top_ask *top_ask_new(const char *state_dir, const atomic_bool *stop)
{
    struct top_ask *a = malloc(sizeof(*a));

    if (a)
        *a = (struct top_ask){.state_dir = state_dir, .stop = stop, .directory = -1};
    return a;
}

static void close_socket(struct top_ask *a)
{
    control_client_free(a->client);
    a->client = NULL;
    if (a->directory >= 0)
        (void)close(a->directory);
    a->directory = -1;
}

void top_ask_free(struct top_ask *a)
{
    if (!a)
        return;
    close_socket(a);
    free(a);
}

static int open_socket(struct top_ask *a)
{
    if (a->client)
        return 0;
    a->directory = control_directory(a->state_dir);
    if (a->directory < 0)
        return a->directory == -ENOENT ? -ECONNREFUSED : a->directory;
    a->client = control_client_new(a->directory, CALL_MS);
    if (a->client && control_client_stop_on(a->client, a->stop))
        return 0;
    close_socket(a);
    return -ENOMEM;
}

static void explain(const struct top_ask *a, int err, const char *detail, char why[TOP_WHY_SIZE])
{
    if (err == -ECONNREFUSED)
        (void)snprintf(why, TOP_WHY_SIZE, "no gateway answers at %s/control.sock", a->state_dir);
    else if (err == -EACCES)
        (void)snprintf(why, TOP_WHY_SIZE, "%s: not allowed; run this as the gateway's user, or as root",
                       a->state_dir);
    else if (err == -ETIMEDOUT)
        (void)snprintf(why, TOP_WHY_SIZE, "no answer within %d s at %s/control.sock", CALL_MS / 1000,
                       a->state_dir);
    else
        (void)snprintf(why, TOP_WHY_SIZE, "the gateway at %s does not answer: %s", a->state_dir,
                       detail && *detail ? detail : strerror(-err));
}

/* 0 and an answer, or -errno, `why`, and no answer. */
static int ask(struct top_ask *a, const char *method, const char *target, struct control_answer *answer,
               char why[TOP_WHY_SIZE])
{
    int err = open_socket(a);

    *answer = (struct control_answer){.status = 0};
    if (!err)
        err = control_client_ask(a->client, method, target, NULL, answer);
    if (!err)
        return 0;
    explain(a, err, answer->why, why);
    control_answer_free(answer);
    close_socket(a);
    return err;
}

/* ---- a sample ---- */

static bool read_metrics(struct sample *s, struct control_answer *answer)
{
    const char *page = buf_cstr(&answer->body);

    return page && sample_read_metrics(s, page);
}

/* One answer into the sample. `next` is the cursor of the next page, where there are pages. */
static int take(struct top_ask *a, struct sample *s, const char *target, char next[CURSOR_SIZE],
                char why[TOP_WHY_SIZE])
{
    struct control_answer answer;
    int err = ask(a, "GET", target, &answer, why);
    bool good;

    if (err)
        return err;
    if (strcmp(target, "/readyz") == 0) /* 503 where it is not ready */
        good = sample_read_ready(s, answer.body.data, answer.body.len);
    else if (answer.status != 200)
        good = false;
    else if (strcmp(target, "/status") == 0)
        good = sample_read_status(s, answer.body.data, answer.body.len);
    else if (strcmp(target, "/metrics") == 0)
        good = read_metrics(s, &answer);
    else
        good = sample_read_leases(s, answer.body.data, answer.body.len, next, CURSOR_SIZE);
    if (!good)
        (void)snprintf(why, TOP_WHY_SIZE, "the gateway's answer to %.128s is not understood (status %d)",
                       target, answer.status);
    control_answer_free(&answer);
    return good ? 0 : -EPROTO;
}

static int take_leases(struct top_ask *a, struct sample *s, char why[TOP_WHY_SIZE])
{
    char target[TARGET_SIZE], next[CURSOR_SIZE] = "", encoded[3 * CURSOR_SIZE];
    int err;

    do {
        if (!text_url_encode(encoded, sizeof(encoded), next))
            return -EPROTO;
        (void)snprintf(target, sizeof(target), "/v1/leases?limit=1000%s%s", *next ? "&cursor=" : "", encoded);
        err = take(a, s, target, next, why);
    } while (!err && *next);
    return err;
}

struct sample *top_ask_sample(struct top_ask *a, int *err, char why[TOP_WHY_SIZE])
{
    static const char *const targets[] = {"/readyz", "/status", "/metrics"};
    struct sample *s = sample_new(clock_now(&clock_system), clock_wall(&clock_system));

    *err = s ? 0 : -ENOMEM;
    if (!s)
        (void)text_copy(why, TOP_WHY_SIZE, "out of memory");
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]) && !*err; i++)
        *err = take(a, s, targets[i], NULL, why);
    if (!*err)
        *err = take_leases(a, s, why);
    if (!*err)
        return s;
    sample_free(s);
    return NULL;
}

/* ---- a release ---- */

static void say_released(const struct control_answer *answer, char said[TOP_WHY_SIZE])
{
    const char *why;
    cJSON *json = json_parse(answer->body.data, answer->body.len, READ_DEPTH, JSON_EXACT, &why);

    if (answer->status == 404)
        (void)text_copy(said, TOP_WHY_SIZE, "that lease has already ended");
    else if (answer->status != 200)
        (void)snprintf(said, TOP_WHY_SIZE, "not released: %s", json_text(json, "detail"));
    else if (cJSON_IsTrue(json_get(json, "pending")))
        (void)text_copy(said, TOP_WHY_SIZE, "released; the vault has not confirmed yet");
    else
        (void)text_copy(said, TOP_WHY_SIZE, "released");
    cJSON_Delete(json);
}

void top_ask_release(struct top_ask *a, const char *lease_id, char said[TOP_WHY_SIZE])
{
    char target[TARGET_SIZE], encoded[TARGET_SIZE - 64];
    struct control_answer answer;

    if (!text_url_encode(encoded, sizeof(encoded), lease_id)) {
        (void)text_copy(said, TOP_WHY_SIZE, "not released: the id is too long");
        return;
    }
    (void)snprintf(target, sizeof(target), "/v1/leases/%s/release", encoded);
    if (ask(a, "POST", target, &answer, said))
        return;
    say_released(&answer, said);
    control_answer_free(&answer);
}
