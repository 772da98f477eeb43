/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf_files.c - checks the files that the gateway's configuration names (table/conf_paths.h): which of them,
 * and who may be able to change them.
 *
 * The owners that are trusted are the process's own user and the gateway's. The configuration and the state
 * directory are judged as well. Two vaults of one `url` whose key files hold one key are one vault twice.
 */
#include "base/certificate.h"
#include "base/memory/secret.h"
#include "base/text.h"
#include "conf/conf_checks.h"
#include "conf/table/conf_paths.h"

#include <grp.h>
#include <libgen.h>
#include <limits.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- permissions of the path ---- */

/* The process's own user, and the user of the gateway: `[gateway] user`, or, where root runs the check, the
 * owner of the state directory. */
static void trust_users(struct safe_path_owners *owners, const struct conf_gateway *g, const char *state_dir)
{
    const struct passwd *pw = g && g->user ? getpwnam(g->user) : NULL;
    struct stat st;

    safe_path_trust(owners, geteuid());
    if (pw)
        safe_path_trust(owners, pw->pw_uid);
    else if (geteuid() == 0 && stat(state_dir, &st) == 0)
        safe_path_trust(owners, st.st_uid);
}

static bool is_checked(const struct conf_row *row, enum conf_files files)
{
    bool of_site = row->section == SECTION_PRA, secret = row->flags & CONF_SECRET;

    if (!(row->flags & CONF_FILE))
        return false;
    switch (files) {
    case CONF_FILES_BUT_SITE_SECRET: return !of_site || !secret;
    case CONF_FILES_NONE: return false;
    case CONF_FILES_OF_SITE: return of_site && !secret;
    default: return true;
    }
}

/* etcd's JSON gateway refuses a client certificate that names a user, once etcd asks for users. */
static void check_no_common_name(struct conf_draft *d, const struct conf_part *part)
{
    const struct conf_store *s = part->object;
    X509 *one = s->user ? certificate_read(s->client_certificate) : NULL;

    if (one && X509_NAME_get_index_by_NID(X509_get_subject_name(one), NID_commonName, -1) >= 0)
        conf_error(
            d, conf_part_line(part, "client_certificate"),
            "`client_certificate`: %s has a Common Name, and etcd then refuses `user`: make one without "
            "a Common Name, such as with -subj /O=jumpgate",
            s->client_certificate);
    X509_free(one);
}

static void check_part(struct conf_draft *d, const struct conf_part *part, enum conf_files files,
                       const struct safe_path_owners *owners)
{
    bool sound[CONF_ROWS_MAX] = {false};

    for (size_t i = 0; i < d->table->nrows; i++) {
        const struct conf_row *row = &d->table->rows[i];

        if (row->section != part->section || !is_checked(row, files))
            continue;
        sound[i] = conf_file_check(d, part, row);
        if (sound[i] && !conf_is_credential(conf_file_of(part, row)))
            conf_check_way(d, part->at[i], row->name, conf_file_of(part, row), owners);
    }
    if (part->section == SECTION_LISTENER) {
        conf_check_pair(d, part, sound, "tls_certificate", "tls_key");
        conf_check_authority(d, part, sound, "client_ca");
        conf_check_list(d, part, sound, "client_crl");
    } else if (part->section == SECTION_VAULT) {
        conf_check_pair(d, part, sound, "client_certificate", "client_key");
        conf_check_authority(d, part, sound, "ca_file");
        conf_check_line(d, part, sound, "api_key_file", "; ");
        conf_check_line(d, part, sound, "run_as_password_file", "");
        conf_check_line(d, part, sound, "oauth_client_secret_file", "");
        conf_check_line(d, part, sound, "login_password_file", "");
    } else if (part->section == SECTION_PRA) {
        conf_check_authority(d, part, sound, "ca_file");
        conf_check_line(d, part, sound, "client_secret_file", "");
    } else if (part->section == SECTION_STORE) {
        conf_check_pair(d, part, sound, "client_certificate", "client_key");
        conf_check_authority(d, part, sound, "ca_file");
        conf_check_line(d, part, sound, "password_file", "");
        if (sound[conf_row_find(d->table, SECTION_STORE, "client_certificate") - d->table->rows])
            check_no_common_name(d, part);
    }
}

/* ---- one API registration in two sections ---- */

/* Whether both files hold the same key. Not if one of them cannot be read: that has its own message. */
static bool same_key(const char *a, const char *b)
{
    struct secret mine = {0}, its = {0};
    char why[80];
    bool same = !secret_read_line(&mine, a, why) && !secret_read_line(&its, b, why) &&
                secret_equal(&mine, its.p, its.len);

    secret_clear(&mine);
    secret_clear(&its);
    return same;
}

/* Sections that name one file have their message from conf_check.c. */
static void check_vault_twins(struct conf_draft *d)
{
    for (struct conf_part *part = NULL; (part = conf_draft_next(d, SECTION_VAULT, part));) {
        const struct conf_vault *v = part->object;

        for (struct conf_part *other = NULL;
             (other = conf_draft_next(d, SECTION_VAULT, other)) && other != part;) {
            const struct conf_vault *o = other->object;
            if (!v->api_key_file || !o->api_key_file || strcmp(v->api_key_file, o->api_key_file) == 0 ||
                !conf_same_vault_url(v, o) || !same_key(v->api_key_file, o->api_key_file))
                continue;
            conf_vault_twin_error(d, part, other);
            break;
        }
    }
}

/* ---- all of it ---- */

static bool group_number(const char *name, gid_t *group)
{
    const struct group *gr = getgrnam(name);
    int64_t number;

    if (gr)
        *group = gr->gr_gid;
    else if (text_int(name, 0, (int64_t)UINT32_MAX - 1, &number))
        *group = (gid_t)number;
    else
        return false; /* conf_check.c says so */
    return true;
}

/* Every folder on the way to the trail must let the group through. */
static void check_audit_group(struct conf_draft *d, const struct conf_part *part,
                              const struct conf_gateway *g, const char *state_dir)
{
    char path[PATH_MAX];
    gid_t group;

    if (!g->audit_group || !group_number(g->audit_group, &group) ||
        !text_copy(path, sizeof(path), g->audit_file ? g->audit_file : state_dir))
        return;
    for (char *folder = g->audit_file ? dirname(path) : path; strlen(folder) > 1; folder = dirname(folder)) {
        struct stat st;

        if (stat(folder, &st) || st.st_mode & (st.st_gid == group ? S_IXGRP : S_IXOTH))
            continue;
        conf_error(
            d, conf_part_line(part, "audit_group"),
            "`audit_group`: the group %s cannot enter %s, so it cannot read the trail; put `audit_file` into "
            "a folder of mode 0750 that belongs to the group, such as /var/log/jumpgate",
            g->audit_group, folder);
        return;
    }
}

static void check_own_paths(struct conf_draft *d, bool check, struct safe_path_owners *owners)
{
    const struct conf_part *gateway = conf_draft_next(d, SECTION_GATEWAY, NULL);
    const struct conf_gateway *g = gateway ? gateway->object : NULL;
    const char *state_dir =
        g ? g->state_dir : conf_row_find(d->table, SECTION_GATEWAY, "state_dir")->fallback;

    trust_users(owners, g, state_dir);
    if (!check)
        return;
    conf_check_way(d, 1, "this file", d->file, owners);
    conf_check_way(d, gateway ? conf_part_line(gateway, "state_dir") : 1, "state_dir", state_dir, owners);
    if (g) {
        conf_check_folder(d, gateway, "log_file", g->log_file, owners);
        conf_check_folder(d, gateway, "audit_file", g->audit_file, owners);
        check_audit_group(d, gateway, g, state_dir);
    }
}

void conf_check_paths(struct conf_draft *d)
{
    struct safe_path_owners owners = {.n = 0};

    check_own_paths(d, true, &owners);
}

void conf_check_files(struct conf_draft *d, enum conf_files files)
{
    bool of_gateway = files != CONF_FILES_OF_SITE && files != CONF_FILES_NONE;
    struct safe_path_owners owners = {.n = 0};
    struct conf_part *part;

    check_own_paths(d, of_gateway, &owners);
    TAILQ_FOREACH(part, &d->parts, link)
    {
        const struct conf_listener *l = part->section == SECTION_LISTENER ? part->object : NULL;

        check_part(d, part, files, &owners);
        if (of_gateway && l && l->is_unix)
            conf_check_folder(d, part, "address", l->host, &owners);
    }
    if (of_gateway)
        check_vault_twins(d);
}
