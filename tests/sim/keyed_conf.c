/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keyed_conf.c - see the header.
 */
#include "keyed_conf.h"

#include "backends/privileged_identity/access.h"
#include "broker/identity/credential_id.h"

#include <stdlib.h>
#include <string.h>

static bool is_of_anybody(const struct setup *s, unsigned account)
{
    for (unsigned u = 0; u < s->users; u++)
        if (s->entitled[u][account])
            return true;
    return false;
}

void keyed_conf_write(struct buf *to, const struct setup *s, const char *secret)
{
    (void)buf_printf(to,
                     "[vault main]\ntype = privileged_identity\nprovisional = yes\n"
                     "url = https://vault.example.test\nlogin_name = gateway\nlogin_password_file = %s\n"
                     "settle = 30s\nsession_idle = %um\nconnections = %u\n",
                     secret, s->session_idle_minutes, s->connections);
    for (unsigned a = 0; a < s->accounts; a++) {
        if (!is_of_anybody(s, a))
            continue;
        (void)buf_printf(to,
                         "[access a%u]\nshared_list = List\nshared_system = sys%u\nshared_account = acc%u\n"
                         "hosts = *\nusers =",
                         a, a, a);
        for (unsigned u = 0; u < s->users; u++)
            if (s->entitled[u][a])
                (void)buf_printf(to, " u%u", u);
        (void)buf_str(to, "\n");
    }
}

void keyed_conf_credential(unsigned account, char *out, size_t size)
{
    char list[] = "List", system[16], name[16], key[PI_KEY_SIZE], id[CREDENTIAL_ID_SIZE];
    const struct conf_access access = {.shared_list = list, .shared_system = system, .shared_account = name};

    (void)snprintf(system, sizeof system, "sys%u", account);
    (void)snprintf(name, sizeof name, "acc%u", account);
    if (pi_access_key(&access, key) || !credential_id_write(id, "main", &(const struct account){.key = key}))
        abort();
    (void)snprintf(out, size, "%s", id);
}
