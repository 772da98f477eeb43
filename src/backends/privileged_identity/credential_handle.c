/* SPDX-License-Identifier: Apache-2.0 */
/*
 * credential_handle.c - the names of a credential as a JSON object; see credential_handle.h.
 *
 * One with `list` is an entry of a shared list, else it is a stored credential.
 */
#include "backends/privileged_identity/credential_handle.h"

#include "backends/backend.h"
#include "base/json.h"
#include "base/jsonw.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int pi_handle_write(const struct pi_credential *c, char **handle)
{
    struct buf text = BUF_INIT(1U << 16); /* more than all names together */
    struct jsonw w = jsonw_start(&text);
    int err;

    *handle = NULL;
    jsonw_object(&w, NULL);
    if (c->shared)
        jsonw_str(&w, "list", c->list);
    jsonw_str(&w, "system", c->system);
    jsonw_str(&w, "account", c->full_account);
    if (!c->shared) {
        jsonw_int(&w, "type", (int64_t)c->type);
        jsonw_str(&w, "custom_type", c->custom_type);
    }
    jsonw_end(&w);
    const char *whole = buf_cstr(&text);
    if (!whole || text.failed)
        err = -ENOMEM;
    else if (text.len >= REQUEST_HANDLE_SIZE)
        err = -EINVAL;
    else
        err = (*handle = strdup(whole)) ? 0 : -ENOMEM;
    buf_free(&text);
    return err;
}

static bool copy(char **to, const char *from)
{
    *to = from ? strdup(from) : NULL;
    return !from || *to;
}

int pi_names_copy(const struct pi_credential *c, struct pi_names *out)
{
    *out = (struct pi_names){.shared = c->shared, .type = c->type};
    if (copy(&out->system, c->system) && copy(&out->account, c->full_account) && copy(&out->list, c->list) &&
        copy(&out->custom_type, c->shared ? NULL : c->custom_type))
        return 0;
    pi_names_free(out);
    return -ENOMEM;
}

static bool keep(char **to, const cJSON *tree, const char *name, int *err)
{
    const char *text = cJSON_GetStringValue(json_get(tree, name));

    if (!text)
        return false;
    *to = strdup(text);
    if (!*to)
        *err = -ENOMEM;
    return true;
}

static int read_members(const cJSON *tree, struct pi_names *out)
{
    int64_t type = 0;
    int err = 0;

    if (!keep(&out->system, tree, "system", &err) || !keep(&out->account, tree, "account", &err))
        return err ? err : -EINVAL;
    out->shared = keep(&out->list, tree, "list", &err);
    if (!out->shared && (!keep(&out->custom_type, tree, "custom_type", &err) ||
                         !json_int(json_get(tree, "type"), &type) || type < 0))
        return err ? err : -EINVAL;
    out->type = (uint64_t)type;
    return err;
}

int pi_handle_read(const char *handle, struct pi_names *out)
{
    struct json_outcome outcome;
    cJSON *tree = json_read(handle, strlen(handle), 2, 0, &outcome);

    *out = (struct pi_names){.shared = false};
    int err = outcome.err == -ENOMEM ? -ENOMEM : cJSON_IsObject(tree) ? read_members(tree, out) : -EINVAL;
    cJSON_Delete(tree);
    if (err)
        pi_names_free(out);
    return err;
}

void pi_names_free(struct pi_names *n)
{
    free(n->system);
    free(n->account);
    free(n->list);
    free(n->custom_type);
    *n = (struct pi_names){.shared = false};
}
