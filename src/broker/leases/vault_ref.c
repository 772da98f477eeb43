/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vault_ref.c - finding the vault of a row, and the substitute for a vault that is no longer
 * configured.
 */
#include "broker/leases/vault_ref.h"

#include "base/address.h"
#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- the absent vault ---- */

static int refuse_requests(struct vault *v, struct vault_call *call)
{
    (void)v;
    (void)call;
    return -ENOTCONN;
}

static int refuse_checkin(struct vault *v, const struct request_ref *request, const char *reason,
                          struct vault_call *call)
{
    (void)request;
    (void)reason;
    return refuse_requests(v, call);
}

static void cancel_nothing(struct vault *v, struct vault_call *call)
{
    (void)v;
    (void)call;
}

static void absent_state(const struct vault *v, struct vault_state *state)
{
    (void)v;
    *state = (struct vault_state){.last_success_age_ms = UINT64_MAX};
}

/* A check-out finds no vault of this name, so the other operations are never called. */
static const struct vault_ops absent_ops = {.name = "absent",
                                            .requests = refuse_requests,
                                            .checkin = refuse_checkin,
                                            .cancel = cancel_nothing,
                                            .state = absent_state};

/* Of what kind it was is not known. Rows whose key comes again say so themselves (their handle); the others
 * are of a vault that knows its users. */
static const struct vault_can absent_can = {
    .keys_are_unique = true, .has_end = true, .per_user = true, .repeatable = true};

static struct vault *absent_new(const char *name)
{
    struct vault *v = calloc(1, sizeof *v);
    struct conf_vault *conf = calloc(1, sizeof *conf);

    if (!v || !conf) {
        free(v);
        free(conf);
        return NULL;
    }
    (void)memccpy(conf->name, name, '\0', sizeof conf->name - 1);
    conf->minute_ms = 60000;
    conf->call_timeout_ms = 10000;
    *v = (struct vault){.ops = &absent_ops, .conf = conf, .can = absent_can};
    return v;
}

static void absent_free(struct vault *v)
{
    free((void *)(uintptr_t)v->conf);
    free(v);
}

/* ---- finding and making ---- */

struct vault_ref *vault_ref_find(const struct vault_refs *refs, const struct vault *vault)
{
    for (size_t i = 0; i < refs->n; i++)
        if (refs->refs[i]->vault == vault)
            return refs->refs[i];
    return NULL;
}

static size_t number_of_url(const struct vault_refs *refs, const char *url)
{
    for (size_t i = 0; *url && i < refs->n; i++)
        if (strcmp(refs->refs[i]->url, url) == 0)
            return refs->refs[i]->number;
    return refs->n;
}

static struct vault_ref *ref_add(struct vault_refs *refs, struct vault *vault, const char *url)
{
    struct vault_ref **more = realloc(refs->refs, (refs->n + 1) * sizeof(struct vault_ref *));

    if (!more)
        return NULL;
    refs->refs = more;
    struct vault_ref *ref = calloc(1, sizeof *ref);

    if (ref)
        ref->url = strdup(url);
    if (!ref || !ref->url) {
        free(ref);
        return NULL;
    }
    ref->leases = refs->leases;
    ref->vault = vault;
    ref->number = number_of_url(refs, url);
    checkin_queue_init(&ref->checkins, vault->conf);
    refs->refs[refs->n++] = ref;
    return ref;
}

int vault_refs_add(struct vault_refs *refs, struct vault *vault)
{
    char url[ADDRESS_IDENTITY_SIZE];

    address_url_identity(vault->conf->url, url);
    return ref_add(refs, vault, url) ? 0 : -ENOMEM;
}

/* NULL for `name` or `url`: any. */
static struct vault_ref *find_named(const struct vault_refs *refs, const char *name, const char *url)
{
    for (size_t i = 0; i < refs->n; i++) {
        struct vault_ref *ref = refs->refs[i];

        if ((!name || strcmp(ref->vault->conf->name, name) == 0) && (!url || strcmp(ref->url, url) == 0) &&
            (!ref->absent || (name && url)))
            return ref;
    }
    return NULL;
}

struct vault_ref *vault_ref_of_row(struct vault_refs *refs, const char *name, const char *url, bool strict)
{
    struct vault_ref *ref = find_named(refs, name, url);

    if (!ref && *url)
        ref = find_named(refs, NULL, url);
    if (!ref && !strict)
        ref = find_named(refs, name, NULL);
    if (ref)
        return ref;
    struct vault *absent = absent_new(name);

    ref = absent ? ref_add(refs, absent, url) : NULL;
    if (ref)
        ref->absent = true;
    else if (absent)
        absent_free(absent);
    return ref;
}

void vault_ref_warn_absent(const struct vault_ref *ref)
{
    log_warn("leases_of_absent_vault", "vault=%s hint=%s", ref->vault->conf->name,
             "they are kept; configure the vault again to have them checked in");
}

void vault_refs_free(struct vault_refs *refs)
{
    for (size_t i = 0; i < refs->n; i++) {
        struct vault_ref *ref = refs->refs[i];

        if (ref->absent)
            absent_free(ref->vault);
        checkin_queue_free(&ref->checkins);
        free(ref->url);
        free(ref->moved_from);
        free(ref);
    }
    free(refs->refs);
}
