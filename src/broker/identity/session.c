/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session.c - a session object in one piece of memory.
 *
 * The texts follow the struct, so one free() frees it. An empty domain becomes NULL here and nowhere else, so
 * that readers of a copy test for NULL alone.
 */
#include "broker/identity/session.h"

#include <stdlib.h>
#include <string.h>

#define NTEXTS 14

static void list_texts(struct session *s, const char **texts[NTEXTS])
{
    const char **all[NTEXTS] = {
        &s->id,       &s->lsid,       &s->username, &s->domain,      &s->computer_name,
        &s->hostname, &s->ip_address, &s->name,     &s->application, &s->network_id,
        &s->client,   &s->request_id, &s->trace_id, &s->peer_user};

    memcpy(texts, all, sizeof all);
}

const char *session_lsid(const struct session *s)
{
    char key[LSID_SIZE];

    if (s->lsid)
        return s->lsid;
    return lsid_normal(s->id, key) ? s->id : NULL;
}

struct session *session_copy(const struct session *from)
{
    struct session view = *from;
    const char **texts[NTEXTS];
    size_t size = sizeof view;

    if (view.domain && !*view.domain)
        view.domain = NULL;
    list_texts(&view, texts);
    for (size_t i = 0; i < NTEXTS; i++)
        size += *texts[i] ? strlen(*texts[i]) + 1 : 0;
    struct session *s = malloc(size);

    if (!s)
        return NULL;
    *s = view;
    char *to = (char *)(s + 1);

    list_texts(s, texts);
    for (size_t i = 0; i < NTEXTS; i++) {
        if (!*texts[i])
            continue;
        size_t n = strlen(*texts[i]) + 1;

        memcpy(to, *texts[i], n);
        *texts[i] = to;
        to += n;
    }
    return s;
}
