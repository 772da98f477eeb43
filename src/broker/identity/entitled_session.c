/* SPDX-License-Identifier: Apache-2.0 */
/*
 * entitled_session.c - see entitled_session.h.
 */
#include "broker/identity/entitled_session.h"

#include <stdlib.h>

struct entitled_session *entitled_session_new(const struct session *session, const struct conf_vault *conf)
{
    struct entitled_session *e = calloc(1, sizeof *e);
    const struct host_name *names[HOST_NAMES_MAX];

    if (!e)
        return NULL;
    if (host_names_make(session, &e->names)) {
        free(e);
        return NULL;
    }
    size_t n = host_names_select(&e->names, conf, names);

    for (size_t i = 0; i < n; i++)
        e->forms[i] = names[i]->value;
    e->asked = (struct vault_session){.username = session->username,
                                      .domain = session->domain ? session->domain : "",
                                      .forms = e->forms,
                                      .nforms = n};
    return e;
}

void entitled_session_free(struct entitled_session *e)
{
    if (e)
        host_names_free(&e->names);
    free(e);
}
