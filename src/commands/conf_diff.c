/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf_diff.c - `jumpgate check --diff`; see conf_diff.h.
 *
 *   GET /v1/configuration --> values of the gateway  --+
 *   the file              --> values of the file     --+--> differences, each with what a reload does with it
 *
 * Both sides are lists of the same canonical texts (conf/conf_values.h). A secret is a hash on both sides,
 * salted with the gateway's digest, and is only said to have changed. What files hold is not compared: a
 * renewed certificate or key under the same name is no difference, and a reload reads it all the same.
 */
#include "commands/conf_diff.h"

#include "base/json.h"
#include "commands/control.h"
#include "commands/line/command_table.h"
#include "commands/line/terminal.h"
#include "conf/conf_values.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define WAIT_MS    10000
#define READ_DEPTH 32

/* ---- asking ---- */

static int read_answer(const struct control_answer *answer, cJSON **out, char why[CONF_DIFF_WHY])
{
    const char *fault = NULL;
    cJSON *json = json_parse(answer->body.data, answer->body.len, READ_DEPTH, JSON_EXACT, &fault);

    if (answer->status == 200 && cJSON_IsArray(json_get(json, "configuration"))) {
        *out = json;
        return 0;
    }
    (void)snprintf(why, CONF_DIFF_WHY, "it answers %d: %s", answer->status, json_text(json, "detail"));
    cJSON_Delete(json);
    return -EPROTO;
}

static int ask_over(int directory, cJSON **out, char why[CONF_DIFF_WHY])
{
    struct control_client *client = control_client_new(directory, WAIT_MS);
    struct control_answer answer = {.status = 0};
    int err = client ? control_client_ask(client, "GET", "/v1/configuration", NULL, &answer) : -ENOMEM;

    if (err)
        (void)snprintf(why, CONF_DIFF_WHY, "%s", *answer.why ? answer.why : strerror(-err));
    else
        err = read_answer(&answer, out, why);
    control_answer_free(&answer);
    control_client_free(client);
    return err;
}

int conf_diff_ask(const char *state_dir, cJSON **out, char why[CONF_DIFF_WHY])
{
    int directory = control_directory(state_dir);

    *out = NULL;
    if (directory == -ENOENT)
        return -ECONNREFUSED;
    if (directory < 0) {
        (void)snprintf(why, CONF_DIFF_WHY, "%s", strerror(-directory));
        return directory;
    }
    int err = ask_over(directory, out, why);

    (void)close(directory);
    return err;
}

bool conf_diff_listens(const cJSON *running, const char *address)
{
    const cJSON *one;

    cJSON_ArrayForEach(
        one,
        json_get(running, "configuration")) if (strncmp(json_text(one, "section"), "listener ", 9) == 0 &&
                                                strcmp(json_text(one, "key"), "address") == 0 &&
                                                strcmp(json_text(one, "value"), address) == 0) return true;
    return false;
}

/* ---- comparing ---- */

struct diff {
    const cJSON *now; /* array of the gateway's values */
    cJSON *next;      /* the same of the file, as an object of objects by section and key */
    size_t changes, restarts;
    bool failed;
};

static void add_next(void *arg, const struct conf_value *v)
{
    struct diff *d = arg;
    cJSON *section = cJSON_GetObjectItemCaseSensitive(d->next, v->section);

    if (!section)
        section = cJSON_AddObjectToObject(d->next, v->section);
    if (!section || (v->key && !cJSON_AddStringToObject(section, v->key, v->text)))
        d->failed = true;
}

static const cJSON *now_value(const struct diff *d, const char *section, const char *key)
{
    const cJSON *one;

    cJSON_ArrayForEach(one, d->now)
    {
        const cJSON *its = json_get(one, "key");

        if (strcmp(json_text(one, "section"), section) == 0 &&
            (key ? its && strcmp(json_text(one, "key"), key) == 0 : !its))
            return one;
    }
    return NULL;
}

static void count_change(struct diff *d, enum conf_change_kind kind)
{
    d->changes++;
    d->restarts += kind == CONF_NEEDS_RESTART;
    puts(kind == CONF_NEEDS_RESTART ? "  (needs a restart)" : "");
}

static void print_text(const char *text)
{
    if (*text)
        terminal_text(stdout, text);
    else
        fputs("(not set)", stdout);
}

static void diff_key(struct diff *d, const char *section, const char *key, const char *after)
{
    const cJSON *now = now_value(d, section, key), *secret = json_get(now, "secret_sha256");
    const char *before = secret ? json_text(now, "secret_sha256") : json_text(now, "value");

    if (strcmp(before, after) == 0)
        return;
    printf("[%s] %s: ", section, key);
    if (secret || conf_value_is_secret(section, key)) {
        fputs(!*before ? "set" : !*after ? "no longer set" : "changed", stdout);
    } else {
        print_text(before);
        fputs(" -> ", stdout);
        print_text(after);
    }
    count_change(d, conf_change_of(section, key, before, after));
}

static void diff_section(struct diff *d, const cJSON *section)
{
    const cJSON *one;

    if (!now_value(d, section->string, NULL)) {
        printf("[%s]: new", section->string);
        count_change(d, conf_section_change(section->string));
        return;
    }
    cJSON_ArrayForEach(one, section) diff_key(d, section->string, one->string, one->valuestring);
}

static void diff_gone(struct diff *d)
{
    const cJSON *one;

    cJSON_ArrayForEach(one, d->now)
    {
        const char *section = json_text(one, "section");

        if (json_get(one, "key") || cJSON_GetObjectItemCaseSensitive(d->next, section))
            continue;
        fputs("[", stdout);
        terminal_text(stdout, section);
        fputs("]: removed", stdout);
        count_change(d, conf_section_change(section));
    }
}

/* Sections of both that have changed places among those of their kind. */
static void diff_order(struct diff *d)
{
    const cJSON *next = d->next->child, *one;

    cJSON_ArrayForEach(one, d->now)
    {
        const char *section = json_text(one, "section");

        if (json_get(one, "key") || !cJSON_GetObjectItemCaseSensitive(d->next, section))
            continue;
        while (next && !now_value(d, next->string, NULL))
            next = next->next;
        if (next && strcmp(next->string, section) != 0) {
            printf("the order of the sections: [%s] is before [%s]", next->string, section);
            count_change(d, conf_section_change(section));
            return;
        }
        next = next ? next->next : NULL;
    }
}

int conf_diff_print(const struct conf *conf, const cJSON *running)
{
    struct diff d = {.now = json_get(running, "configuration"), .next = cJSON_CreateObject()};
    const cJSON *section;

    if (!d.next || conf_values(conf, json_text(running, "config_digest"), add_next, &d) || d.failed) {
        cJSON_Delete(d.next);
        fputs("jumpgate: out of memory\n", stderr);
        return EXIT_FAILED;
    }
    cJSON_ArrayForEach(section, d.next) diff_section(&d, section);
    diff_gone(&d);
    diff_order(&d);
    if (!d.changes)
        puts("no difference: the running gateway uses this configuration");
    else if (d.restarts)
        printf("%zu of %zu need a restart; a reload would refuse all of them\n", d.restarts, d.changes);
    else
        puts("`jumpgate reload` would take all of this");
    cJSON_Delete(d.next);
    return EXIT_DONE;
}
