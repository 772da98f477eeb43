/* SPDX-License-Identifier: Apache-2.0 */
/*
 * read_status.c - the answers of the Command API: get_api_info, check_health, terminate_session.
 *
 * The site's documents do not say whether a permission's name is the element's name or an attribute, nor how
 * the root of check_health is called, so every form that was found is read. An answer is known by what it
 * must hold where its root is not known.
 */
#include "backends/pra/answers.h"

#include "base/text.h"

#include <string.h>
#include <strings.h>

static const char misspelt[] = "perm_configuration_vault_acount";

static void copy_clean(char *out, size_t size, const char *text)
{
    pra_text_clean(out, size, text, strlen(text));
}

/* `timestamp` or `ts`, else the text. */
static bool is_time_attribute(const char **attributes, int64_t *ms)
{
    const char *value = pra_xml_attribute(attributes, "timestamp");

    if (!value)
        value = pra_xml_attribute(attributes, "ts");
    return value && !pra_time_read(value, ms);
}

/* ---- get_api_info ---- */

/* The first value of a name counts. */
static void add_permission(struct pra_info *info, const char *name, const char *value)
{
    struct pra_permission *p = &info->permissions[info->npermissions];

    if (!strcmp(name, misspelt))
        name = "perm_configuration_vault_account";
    if (!*value || info->npermissions == PRA_PERMISSIONS_MAX || strlen(name) >= sizeof(p->name) ||
        strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != strlen(name))
        return;
    for (size_t i = 0; i < info->npermissions; i++)
        if (!strcmp(info->permissions[i].name, name))
            return;
    text_copy(p->name, sizeof(p->name), name);
    copy_clean(p->value, sizeof(p->value), value);
    info->npermissions++;
}

static bool is_permission_name(const char *name)
{
    return !strncmp(name, "perm_", 5);
}

static bool info_root(void *ctx, const char *name)
{
    (void)ctx;
    return !strcmp(name, "get_api_info");
}

/*
 * Depth 2 is <permissions>, depth 3 one permission. The name of a <permission name="N"> is kept in the next
 * free place until its value has come.
 */
static int info_begin(void *ctx, unsigned depth, const char *name, const char **attributes)
{
    struct pra_info *info = &((struct pra_answer *)ctx)->info;

    if (depth == 2 && !strcmp(name, "timestamp"))
        info->has_time |= is_time_attribute(attributes, &info->time_ms);
    if (depth != 3 || strcmp(name, "permission") != 0)
        return 0;
    for (const char **a = attributes; *a; a += 2)
        if (is_permission_name(pra_xml_local(*a)))
            add_permission(info, pra_xml_local(*a), a[1]);
    const char *named = pra_xml_attribute(attributes, "name");
    if (info->npermissions < PRA_PERMISSIONS_MAX)
        text_copy(info->permissions[info->npermissions].name, PRA_NAME_SIZE, named ? named : "");
    return 0;
}

static int info_end(void *ctx, unsigned depth, const char *name, const char *text)
{
    struct pra_info *info = &((struct pra_answer *)ctx)->info;

    if (depth == 2 && !strcmp(name, "api_version")) {
        copy_clean(info->api_version, sizeof(info->api_version), text);
    } else if (depth == 2 && !strcmp(name, "timestamp")) {
        info->has_time = info->has_time || !pra_time_read(text, &info->time_ms);
    } else if (depth == 3 && is_permission_name(name)) {
        add_permission(info, name, text);
    } else if (depth == 3 && !strcmp(name, "permission") && info->npermissions < PRA_PERMISSIONS_MAX) {
        char named[PRA_NAME_SIZE];
        text_copy(named, sizeof(named), info->permissions[info->npermissions].name);
        if (is_permission_name(named))
            add_permission(info, named, text);
    }
    return 0;
}

const struct pra_xml_reader pra_info_reader = {.root = info_root, .begin = info_begin, .end = info_end};

/* ---- check_health ---- */

static bool any_root(void *ctx, const char *name)
{
    (void)ctx;
    return strcasecmp(name, "html") != 0;
}

static int health_begin(void *ctx, unsigned depth, const char *name, const char **attributes)
{
    struct pra_health *h = &((struct pra_answer *)ctx)->health;
    const char *id = pra_xml_attribute(attributes, "id");

    if (depth == 2 && !strcmp(name, "appliance") && id)
        copy_clean(h->appliance_id, sizeof(h->appliance_id), id);
    if (depth == 2 && !strcmp(name, "last_data_sync_time"))
        h->has_sync |= is_time_attribute(attributes, &h->last_sync_ms);
    return 0;
}

static int health_end(void *ctx, unsigned depth, const char *name, const char *text)
{
    struct pra_health *h = &((struct pra_answer *)ctx)->health;

    if (depth != 2)
        return 0;
    if (!strcmp(name, "version"))
        copy_clean(h->version, sizeof(h->version), text);
    if (!strcmp(name, "error_message"))
        copy_clean(h->error_message, sizeof(h->error_message), text);
    if (!strcmp(name, "failover_role"))
        copy_clean(h->failover_role, sizeof(h->failover_role), text);
    if (!strcmp(name, "last_data_sync_time"))
        h->has_sync = h->has_sync || !pra_time_read(text, &h->last_sync_ms);
    if (!strcmp(name, "success") && (!strcmp(text, "1") || !strcmp(text, "0"))) {
        h->has_success = true;
        h->success = *text == '1';
    }
    return 0;
}

static bool health_complete(const void *ctx)
{
    return ((const struct pra_answer *)ctx)->health.has_success;
}

const struct pra_xml_reader pra_health_reader = {
    .root = any_root, .begin = health_begin, .end = health_end, .complete = health_complete};

/* ---- terminate_session ---- */

static int no_begin(void *ctx, unsigned depth, const char *name, const char **attributes)
{
    (void)ctx;
    (void)depth;
    (void)name;
    (void)attributes;
    return 0;
}

/* <success> with words; a bare number would be the <success> of check_health. */
static int terminate_end(void *ctx, unsigned depth, const char *name, const char *text)
{
    struct pra_answer *answer = ctx;

    answer->terminated |= depth <= 2 && !strcmp(name, "success") && strcmp(text, "0") != 0;
    return 0;
}

static bool terminate_complete(const void *ctx)
{
    return ((const struct pra_answer *)ctx)->terminated;
}

const struct pra_xml_reader pra_terminate_reader = {
    .root = any_root, .begin = no_begin, .end = terminate_end, .complete = terminate_complete};
