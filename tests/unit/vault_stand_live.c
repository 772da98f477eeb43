/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vault_stand_live.c - what the stands of both vaults share: simulator, loop, faults.
 */
#include "vault_stand_live.h"

#include "check.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void live_stand_open(struct live_stand *s, const char *program, const char *text)
{
    struct conf_vault *v = &s->vault_conf;

    s->is_away = s->is_shut = false;
    live_sim_start(&s->sim, program, s->args);
    live_sim_file(s->password_path, text);
    *v = (struct conf_vault){.sessions_per_user = 4, .max_calls = 64, .connections = 8, .retries = 1};
    v->session_idle_ms = v->token_max_age_ms = MINUTES(10);
    v->connect_timeout_ms = v->call_timeout_ms = SECONDS(10);
    v->connection_idle_ms = v->minute_ms = MINUTES(1);
    v->max_answer = 1 << 20;
    v->url = s->url;
    s->conf = (struct conf){.vaults = v, .nvaults = 1};
    s->loop = loop_new();
    assert_non_null(s->loop);
}

/* One iteration, which waits for what is next, though not for long. */
void live_stand_turn(struct contract_stand *stand)
{
    struct live_stand *s = (struct live_stand *)stand;
    uv_loop_t *uv = loop_uv(s->loop);
    struct pollfd fd = {.fd = uv_backend_fd(uv), .events = POLLIN};
    int timeout = uv_backend_timeout(uv);

    (void)poll(&fd, 1, timeout < 0 || timeout > 5 ? 5 : timeout);
    (void)loop_iterate(s->loop);
}

static void on_closed(void *arg)
{
    *(bool *)arg = true;
}

void live_stand_shut(struct contract_stand *stand)
{
    struct live_stand *s = (struct live_stand *)stand;

    s->close_vault(stand->vault, on_closed, &s->is_shut);
}

bool live_stand_is_shut(struct contract_stand *stand)
{
    return ((struct live_stand *)stand)->is_shut;
}

void live_stand_go_away(struct contract_stand *stand)
{
    struct live_stand *s = (struct live_stand *)stand;

    live_sim_stop(&s->sim);
    s->is_away = true;
}

void live_stand_close(struct contract_stand *stand)
{
    struct live_stand *s = (struct live_stand *)stand;

    if (stand->vault)
        live_stand_shut(stand);
    for (int i = 0; !s->is_shut && i < 20000; i++)
        live_stand_turn(stand);
    assert_true(s->is_shut);
    stand->vault = NULL;
    assert_int_equal(loop_free(s->loop), 0);
    if (!s->is_away)
        live_sim_stop(&s->sim);
    (void)unlink(s->password_path);
    if (*s->profile_path)
        (void)unlink(s->profile_path);
    s->profile_path[0] = '\0';
}

bool live_stand_meet(struct live_stand *s, const char *call, enum contract_fault fault)
{
    static const char *const actions[CONTRACT_NFAULTS] = {
        [CONTRACT_LOST_DID_NOT] = "drop_before",
        [CONTRACT_LOST_DID] = "drop_after",
        [CONTRACT_SILENT] = "hang",
        [CONTRACT_PAGE] = "page",
        [CONTRACT_PAGE_DID] = "page_after",
        [CONTRACT_CUT_DID] = "truncate",
        [CONTRACT_GARBAGE_DID] = "garbage",
        [CONTRACT_BUSY] = "unavailable",
        [CONTRACT_SLOW] = "latency",
        [CONTRACT_CLOSED] = "close",
        [CONTRACT_EXTRA] = "extra",
    };
    const char *action = fault == CONTRACT_FAILED_DID ? s->failed_did : actions[fault];
    char rule[256];

    if (!call)
        return false;
    (void)live_sim_call(&s->sim, "DELETE", "/faults", NULL);
    if (fault == CONTRACT_FINE)
        return true;
    (void)snprintf(rule, sizeof rule, "{\"action\":\"%s\",\"call\":\"%s\"%s}", action, call,
                   fault == CONTRACT_SLOW ? ",\"latency_ms\":60" : "");
    (void)live_sim_admin(&s->sim, "/faults", rule);
    return true;
}

unsigned live_stand_count(struct live_stand *s, const char *path, const char *part)
{
    unsigned n = 0;

    for (int i = 0; !strstr(live_sim_admin(&s->sim, "/counts", NULL), "\"in_flight\":0"); i++) {
        assert_true(i < 2000);
        live_stand_turn(&s->stand);
    }
    for (const char *at = live_sim_admin(&s->sim, path, NULL); (at = strstr(at, part)); at++)
        n++;
    return n;
}
