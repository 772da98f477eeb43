/* SPDX-License-Identifier: Apache-2.0 */
/*
 * change.c - `jumpgate cluster forget`, `set-vault` and `upgrade`: what an operator changes in etcd by hand;
 * see commands.h.
 *
 *   forget NODE     counts a silent gateway as dead: its requests are taken over by whoever is alive
 *   set-vault NAME  the agreement on a vault becomes what this configuration says of it
 *   upgrade         the number of the schema becomes the newest that all members know
 *
 * Each compares what it has seen in the transaction that changes it. On a terminal each asks before. What was
 * done is recorded in the trail of this machine's gateway: by the gateway where it runs, which the command
 * asks over the control socket, and else by the command.
 */
#include "commands/commands.h"

#include "base/json.h"
#include "base/jsonw.h"
#include "base/text.h"
#include "commands/cluster/members.h"
#include "commands/control_command.h"
#include "commands/operator_trail.h"
#include "stores/etcd_kept.h"
#include "stores/etcd_rows.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ASKING_MS 10000 /* the gateway, for the record */

struct change {
    struct store_command *command;
    struct store_calls calls;
    struct cluster_view view;
};

static int run_change(struct store_command *c, int (*work)(struct change *))
{
    struct change ch = {.command = c};
    int code = EXIT_FAILED;

    if (c->conf->store.type != STORE_ETCD)
        return command_failed("the gateway has its store for itself: [store] has no `type = etcd`");
    if (store_calls_open(&ch.calls, c->loop, &c->conf->store))
        code = command_failed(ch.calls.why);
    else
        code = work(&ch);
    store_calls_close(&ch.calls);
    return code;
}

/* 0 = the comparisons held. `err`: of the transaction. */
static int applied(struct change *ch, int err, bool held)
{
    return err    ? cluster_call_failed(&ch->calls, err)
           : held ? EXIT_DONE
                  : command_failed("etcd was changed meanwhile; see `jumpgate cluster`, and try again");
}

static int apply(struct change *ch)
{
    bool held = false;
    int err = store_calls_txn(&ch->calls, &held);

    return applied(ch, err, held);
}

/* 0; -ECONNREFUSED = it does not run; or an exit code after saying why it has not. */
static int have_recorded(struct control_command *c, const char *change, const char *value)
{
    struct buf body = BUF_INIT(4096);
    struct jsonw w = jsonw_start(&body);
    struct control_answer answer;

    jsonw_object(&w, NULL);
    jsonw_str(&w, "change", change);
    jsonw_str(&w, "name", value);
    jsonw_end(&w);
    const char *text = buf_cstr(&body);

    if (!text || body.failed) {
        buf_free(&body);
        return command_failed("out of memory");
    }
    int code = control_ask(c, "POST", "/v1/cluster/record", text, &answer);

    if (!code && answer.status != 200)
        code = control_refused(&answer);
    control_answer_free(&answer);
    buf_free(&body);
    return code;
}

static int have_gateway_record(const struct change *ch, const char *change, const char *value)
{
    struct control_command c = {.args = ch->command->args, .conf = ch->command->conf, .conf_sound = true};
    int directory = control_directory(c.conf->gateway.state_dir);

    if (directory < 0)
        return -ECONNREFUSED;
    c.client = control_client_new(directory, ASKING_MS);
    int code = c.client ? have_recorded(&c, change, value) : command_failed("out of memory");

    control_client_free(c.client);
    (void)close(directory);
    return code;
}

/* `change` as the command is called. */
static void record(const struct change *ch, const char *change, const char *event, const char *name,
                   const char *value)
{
    const struct operator_word words[] = {{name, value}, {NULL, NULL}};
    int code = have_gateway_record(ch, change, value);

    if (code == -ECONNREFUSED)
        (void)operator_trail_record(ch->command->loop, ch->command->conf, event, words);
    else if (code)
        fprintf(stderr, "jumpgate: this is not in the audit trail\n");
}

static int say(const struct change *ch, bool changed, const char *text)
{
    struct buf out = BUF_INIT(4096);
    struct jsonw w = jsonw_start(&out);

    if (!args_given(ch->command->args, "--json")) {
        puts(text);
        return EXIT_DONE;
    }
    jsonw_object(&w, NULL);
    jsonw_bool(&w, "changed", changed);
    jsonw_str(&w, "detail", text);
    jsonw_end(&w);
    return command_print(&out);
}

static bool agreed(const struct change *ch, const char *question)
{
    return store_command_agreed(ch->command->args, question);
}

/* ---- forget ---- */

static int forget_member(struct change *ch, const struct cluster_member *m)
{
    char text[256];
    bool held = false;
    int err = store_calls_fence(&ch->calls, m->node, m->epoch, m->mod, "", &held);
    int code = applied(ch, err, held);

    if (code)
        return code;
    record(ch, "forget", "cluster_forget", "forgotten", m->node);
    (void)snprintf(text, sizeof(text),
                   "%s counts as dead: its leases (%" PRId64
                   " when it last wrote to etcd) go on at the first gateway that sees it",
                   m->node, m->leases);
    return say(ch, true, text);
}

static int forget(struct change *ch)
{
    const char *node = ch->command->args->words[0];
    char text[512];
    int code = cluster_look_twice(&ch->calls, &ch->view);

    if (code)
        return code;
    const struct cluster_member *m = cluster_member_of(&ch->view, node);

    if (!m) {
        (void)snprintf(text, sizeof(text), "the cluster has no gateway %.63s; `jumpgate cluster` lists them",
                       node);
        return command_failed(text);
    }
    if (m->dead) {
        (void)snprintf(text, sizeof(text), "%s counts as dead already; its requests are taken over by %s",
                       m->node, *m->adopter ? m->adopter : "the first gateway that sees it");
        return say(ch, false, text);
    }
    if (m->writes) {
        (void)snprintf(text, sizeof(text),
                       "the gateway %s runs: it writes to etcd; stop it, and its leases are handed over",
                       m->node);
        return command_failed(text);
    }
    (void)snprintf(text, sizeof(text),
                   "%s has been silent; count it as dead, and have its leases (%" PRId64
                   " when it last wrote to etcd) taken over?",
                   m->node, m->leases);
    return agreed(ch, text) ? forget_member(ch, m) : command_failed("nothing was done");
}

static int forget_command(struct store_command *c)
{
    return run_change(c, forget);
}

int command_cluster_forget(const struct command_args *args)
{
    return store_command(args, false, forget_command);
}

/* ---- set-vault ---- */

static const struct conf_vault *vault_named(const struct conf *conf, const char *name)
{
    for (size_t i = 0; i < conf->nvaults; i++)
        if (strcmp(conf->vaults[i].name, name) == 0)
            return &conf->vaults[i];
    return NULL;
}

/* c/v/NAME as etcd_join.c writes it, with the members of a newer version that it had. */
static void write_agreement(struct buf *out, const struct conf_vault *v, const char *digest,
                            const struct buf *more)
{
    struct jsonw w = jsonw_start(out);

    jsonw_object(&w, NULL);
    jsonw_str(&w, "d", digest);
    jsonw_str(&w, "u", v->url);
    if (more->len)
        (void)buf_append(out, more->data, more->len);
    jsonw_end(&w);
}

/* What the cluster has agreed in: its digest and address, "" = nothing yet, and what else is there. *mod of
 * the key; 0 = absent. */
static int read_agreement(struct change *ch, const char *key, char digest[CONF_DIGEST_SIZE], char url[256],
                          struct buf *more, int64_t *mod)
{
    const struct etcd_op get = {.kind = ETCD_GET, .key = key};
    struct etcd_writer w = store_calls_writer(&ch->calls);
    struct json_outcome outcome;
    struct etcd_kv kv;

    digest[0] = url[0] = '\0';
    *mod = 0;
    etcd_write_reads(&w, &get, 1);
    int err = store_calls_ask(&ch->calls, "/v3/kv/txn");

    if (err)
        return cluster_call_failed(&ch->calls, err);
    if (!etcd_kv_read(etcd_response(ch->calls.answer, 0), 0, &kv))
        return EXIT_DONE;
    cJSON *tree = json_read(kv.value.data, kv.value.len, 4, JSON_EXACT, &outcome);

    (void)text_copy(digest, CONF_DIGEST_SIZE, json_text(tree, "d"));
    (void)text_copy(url, 256, json_text(tree, "u"));
    if (tree)
        etcd_strange_members(more, kv.value.data, kv.value.len, "du");
    *mod = kv.mod;
    cJSON_Delete(tree);
    return EXIT_DONE;
}

static int put_agreement(struct change *ch, const struct conf_vault *v, const char *key, const char *digest,
                         const struct buf *more, int64_t mod)
{
    const struct etcd_compare as_read[] = {
        {.kind = ETCD_MOD, .key = key, .mod = mod},
        {.kind = ETCD_OLDER_IN, .key = "m/", .to = "m0", .mod = ch->view.revision + 1}};
    struct etcd_writer w = store_calls_writer(&ch->calls);
    struct buf value = BUF_INIT(4096);

    write_agreement(&value, v, digest, more);
    value.failed |= more->failed;
    const char *text = buf_cstr(&value);
    const struct etcd_op put = {.kind = ETCD_PUT, .key = key, .value = text ? text : ""};

    (void)buf_char(w.out, '{');
    etcd_write_compares(&w, as_read, 2);
    (void)buf_str(w.out, ",\"success\":[");
    etcd_write_ops(&w, &put, 1);
    (void)buf_str(w.out, "]}");
    int code = text && !value.failed ? apply(ch) : command_failed("out of memory");

    buf_free(&value);
    return code;
}

/* A gateway that is alive has the old vault, or lacks it; which of the two is not written in etcd. */
static int refuse_alive(const struct change *ch)
{
    char text[256];

    for (size_t i = 0; i < ch->view.n; i++) {
        if (!ch->view.all[i].writes)
            continue;
        (void)snprintf(text, sizeof(text),
                       "the gateway %s runs, by the agreement as it is; stop all gateways first",
                       ch->view.all[i].node);
        return command_failed(text);
    }
    return EXIT_DONE;
}

static int change_agreement(struct change *ch, const struct conf_vault *v, const char *key, struct buf *more)
{
    char old[CONF_DIGEST_SIZE], url[256], digest[CONF_DIGEST_SIZE], text[1024];
    int64_t mod;
    int code = read_agreement(ch, key, old, url, more, &mod);

    if (!code && conf_vault_digest(v, digest))
        code = command_failed("out of memory");
    if (code)
        return code;
    if (!mod)
        return say(
            ch, false,
            "no gateway of the cluster has used this vault yet: the first one that starts agrees for all");
    if (strcmp(old, digest) == 0)
        return say(ch, false, "the cluster and this configuration agree in this vault already");
    code = refuse_alive(ch);
    if (code)
        return code;
    (void)snprintf(
        text, sizeof(text),
        "[vault %.63s] of the cluster becomes %.200s (it is %.200s); gateways whose configuration still has "
        "the old one will not start. Do so?",
        v->name, v->url, url);
    if (!agreed(ch, text))
        return command_failed("nothing was done");
    code = put_agreement(ch, v, key, digest, more, mod);
    if (code)
        return code;
    record(ch, "set-vault", "cluster_set_vault", "vault", v->name);
    (void)snprintf(text, sizeof(text), "[vault %.63s] of the cluster is %.200s, as in this configuration",
                   v->name, v->url);
    return say(ch, true, text);
}

static int set_vault(struct change *ch)
{
    const char *name = ch->command->args->words[0];
    const struct conf_vault *v = vault_named(ch->command->conf, name);
    char key[ETCD_KEY_SIZE] = "c/v/", text[128];

    if (!v) {
        (void)snprintf(text, sizeof(text), "the configuration has no section [vault %.63s]", name);
        return command_failed(text);
    }
    if (!text_url_encode(key + 4, sizeof(key) - 4, v->name))
        return command_failed("the name of the vault is too long");
    int code = cluster_look_twice(&ch->calls, &ch->view);

    struct buf more = BUF_INIT(2048);

    if (!code)
        code = change_agreement(ch, v, key, &more);
    buf_free(&more);
    return code;
}

static int set_vault_command(struct store_command *c)
{
    return run_change(c, set_vault);
}

int command_cluster_set_vault(const struct command_args *args)
{
    return store_command(args, false, set_vault_command);
}

/* ---- upgrade ---- */

/* The newest number that all members know, and whose it is. */
static const struct cluster_member *oldest_member(const struct cluster_view *v)
{
    const struct cluster_member *oldest = NULL;

    for (size_t i = 0; i < v->n; i++)
        if (!v->all[i].dead && (!oldest || v->all[i].schema < oldest->schema))
            oldest = &v->all[i];
    return oldest;
}

static int raise_schema(struct change *ch, int64_t to)
{
    const struct etcd_compare as_read[] = {
        {.kind = ETCD_MOD, .key = "c/schema", .mod = ch->view.schema_mod},
        {.kind = ETCD_OLDER_IN, .key = "m/", .to = "m0", .mod = ch->view.revision + 1}};
    struct etcd_writer w = store_calls_writer(&ch->calls);
    char text[128], number[24];
    const struct etcd_op put = {.kind = ETCD_PUT, .key = "c/schema", .value = number};

    (void)snprintf(number, sizeof(number), "%" PRId64, to);
    (void)buf_char(w.out, '{');
    etcd_write_compares(&w, as_read, 2);
    (void)buf_str(w.out, ",\"success\":[");
    etcd_write_ops(&w, &put, 1);
    (void)buf_str(w.out, "]}");
    int code = apply(ch);

    if (code)
        return code;
    record(ch, "upgrade", "cluster_upgrade", "schema", number);
    (void)snprintf(text, sizeof(text), "the schema of the cluster is %" PRId64 " from now on", to);
    return say(ch, true, text);
}

static int upgrade(struct change *ch)
{
    char text[256];
    int code = cluster_look(&ch->calls, &ch->view);

    if (code)
        return code;
    const struct cluster_member *oldest = oldest_member(&ch->view);

    if (!oldest)
        return command_failed("no gateway is in the cluster: start them all with the new version first");
    if (oldest->schema <= ch->view.schema) {
        (void)snprintf(text, sizeof(text), "the schema is %" PRId64 ", the newest that %s (version %s) knows",
                       ch->view.schema, oldest->node, *oldest->version ? oldest->version : "unknown");
        return say(ch, false, text);
    }
    (void)snprintf(text, sizeof(text),
                   "raise the schema from %" PRId64 " to %" PRId64
                   "? Gateways of versions that do not know it cannot join "
                   "any more.",
                   ch->view.schema, oldest->schema);
    return agreed(ch, text) ? raise_schema(ch, oldest->schema) : command_failed("nothing was done");
}

static int upgrade_command(struct store_command *c)
{
    return run_change(c, upgrade);
}

int command_cluster_upgrade(const struct command_args *args)
{
    return store_command(args, false, upgrade_command);
}
