/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calls_directory.c - the administrative reads: systems, workgroups, platforms, entity types, users and
 * groups.
 *
 * A plain requestor is refused most of them (permission in the route table). Without `limit` ManagedSystems
 * is a bare array, with it an object of TotalCount and Data; past the end Data is empty and TotalCount
 * unchanged.
 */
#include "passwordsafe-sim/calls.h"

#include "base/text.h"

#include <limits.h>
#include <string.h>

/* ---- platforms ---- */

static const struct platform {
    int id;
    const char *name, *short_name, *session; /* session NULL = null */
    int port;                                /* 0 = null */
    bool dss, domain_name;
} platforms[] = {
    {2, "Linux", "Linux", "SSH", 22, true, false},
    {4, "Network device (SSH)", "Device", "SSH", 22, true, false},
    {8, "Oracle", "Oracle", NULL, 1521, false, false},
    {11, "MS SQL Server", "MSSQL", NULL, 1433, false, false},
    {12, "Active Directory", "AD", NULL, 0, false, true},
    {25, "Windows", "Win", "RDP", 3389, false, true},
};
#define NPLATFORMS (sizeof(platforms) / sizeof(platforms[0]))

static void put_platform(struct jsonw *w, const struct platform *p)
{
    jsonw_object(w, NULL);
    jsonw_int(w, "PlatformID", p->id);
    jsonw_str(w, "Name", p->name);
    jsonw_str(w, "ShortName", p->short_name);
    jsonw_bool(w, "PortFlag", p->port != 0);
    wire_put_id(w, "DefaultPort", p->port);
    jsonw_str(w, "DefaultSessionType", p->session);
    jsonw_bool(w, "DomainNameFlag", p->domain_name);
    jsonw_bool(w, "AutoManagementFlag", true);
    jsonw_bool(w, "ManageableFlag", true);
    jsonw_bool(w, "DSSFlag", p->dss);
    jsonw_bool(w, "SupportsElevationFlag", p->dss);
    jsonw_bool(w, "LoginAccountFlag", p->dss);
    jsonw_end(w);
}

void calls_platforms(struct dispatch *d)
{
    struct jsonw w = answer_json(d, 200);

    jsonw_array(&w, NULL);
    for (size_t i = 0; i < NPLATFORMS; i++)
        put_platform(&w, &platforms[i]);
    jsonw_end(&w);
}

void calls_platform(struct dispatch *d)
{
    for (size_t i = 0; i < NPLATFORMS; i++) {
        if (platforms[i].id != d->ids[0])
            continue;
        struct jsonw w = answer_json(d, 200);
        put_platform(&w, &platforms[i]);
        return;
    }
    answer_text(d, 404, "Platform not found");
}

void calls_entity_types(struct dispatch *d)
{
    static const char *const names[] = {"Asset", "Database", "Directory", "Cloud"};
    struct jsonw w = answer_json(d, 200);

    jsonw_array(&w, NULL);
    for (int i = 0; i < 4; i++) {
        jsonw_object(&w, NULL);
        jsonw_int(&w, "EntityTypeID", i + 1);
        jsonw_str(&w, "Name", names[i]);
        jsonw_str(&w, "Description", names[i]);
        jsonw_end(&w);
    }
    jsonw_end(&w);
}

/* ---- workgroups ---- */

#define WORKGROUPS_MAX 64

/* The names of systems, each once; the number of a name is its place, from 1. */
static size_t workgroups(const struct model *m, const char *names[WORKGROUPS_MAX])
{
    size_t n = 0;

    for (size_t i = 0; i < m->systems.n; i++) {
        const struct model_system *s = m->systems.item[i];
        size_t k = 0;
        while (k < n && !text_equal_nocase(names[k], s->workgroup))
            k++;
        if (k == n && n < WORKGROUPS_MAX)
            names[n++] = s->workgroup;
    }
    return n;
}

void calls_workgroups(struct dispatch *d)
{
    const char *names[WORKGROUPS_MAX];
    size_t n = workgroups(d->model, names);
    struct jsonw w = answer_json(d, 200);

    jsonw_array(&w, NULL);
    for (size_t i = 0; i < n; i++) {
        jsonw_object(&w, NULL);
        jsonw_str(&w, "OrganizationID", "6f0d2f0c-2222-4a7e-8d55-0a1b2c3d4e5f");
        jsonw_int(&w, "ID", (int64_t)i + 1);
        jsonw_str(&w, "Name", names[i]);
        jsonw_end(&w);
    }
    jsonw_end(&w);
}

/* ---- systems ---- */

struct systems_writer {
    const char *workgroup[WORKGROUPS_MAX];
    size_t nworkgroups;
};

static int64_t workgroup_id(const struct systems_writer *of, const struct model_system *s)
{
    for (size_t i = 0; i < of->nworkgroups; i++)
        if (text_equal_nocase(of->workgroup[i], s->workgroup))
            return (int64_t)i + 1;
    return 0;
}

static int entity_type(const struct model_system *s)
{
    return s->is_directory ? 3 : s->is_database ? 2 : 1;
}

static void put_ids(struct jsonw *w, const struct systems_writer *of, const struct model_system *s)
{
    int type = entity_type(s);

    jsonw_int(w, "ManagedSystemID", s->id);
    jsonw_int(w, "EntityTypeID", type);
    wire_put_id(w, "AssetID", type == 1 ? s->id : 0);
    wire_put_id(w, "DatabaseID", type == 2 ? s->id : 0);
    wire_put_id(w, "DirectoryID", type == 3 ? s->id : 0);
    jsonw_null(w, "CloudID");
    jsonw_int(w, "WorkgroupID", workgroup_id(of, s));
}

static void put_names(struct jsonw *w, const struct model_system *s)
{
    jsonw_str(w, "HostName", s->name);
    jsonw_str(w, "DnsName", s->dns_name);
    jsonw_str(w, "IPAddress", s->ip);
    jsonw_str(w, "InstanceName", s->instance);
    jsonw_null(w, "IsDefaultInstance");
    jsonw_null(w, "Template");
    jsonw_str(w, "ForestName", s->is_directory ? s->dns_name : NULL);
    jsonw_null(w, "UseSSL");
    jsonw_int(w, "AccountNameFormat", 0);
    jsonw_null(w, "OracleInternetDirectoryID");
    jsonw_null(w, "OracleInternetDirectoryServiceName");
    jsonw_str(w, "SystemName", s->name);
    jsonw_int(w, "PlatformID", s->platform);
    jsonw_str(w, "NetBiosName", s->netbios);
}

static void put_management(struct jsonw *w)
{
    jsonw_null(w, "Port");
    jsonw_int(w, "Timeout", 30);
    jsonw_str(w, "Description", "");
    jsonw_str(w, "ContactEmail", "");
    jsonw_int(w, "PasswordRuleID", 0);
    jsonw_null(w, "DSSKeyRuleID");
    jsonw_null(w, "LoginAccountID");
    jsonw_int(w, "ReleaseDuration", 120);
    jsonw_int(w, "MaxReleaseDuration", 525600);
    jsonw_int(w, "ISAReleaseDuration", 120);
    jsonw_bool(w, "AutoManagementFlag", true);
    jsonw_null(w, "FunctionalAccountID");
    jsonw_null(w, "ElevationCommand");
    jsonw_int(w, "SshKeyEnforcementMode", 0);
    jsonw_bool(w, "CheckPasswordFlag", false);
    jsonw_bool(w, "ChangePasswordAfterAnyReleaseFlag", true);
    jsonw_bool(w, "ResetPasswordOnMismatchFlag", false);
    jsonw_str(w, "ChangeFrequencyType", "first");
    jsonw_int(w, "ChangeFrequencyDays", 30);
    jsonw_str(w, "ChangeTime", "23:30");
}

static void put_system(struct jsonw *w, const struct systems_writer *of, const struct model_system *s)
{
    jsonw_object(w, NULL);
    put_ids(w, of, s);
    put_names(w, s);
    put_management(w);
    jsonw_end(w);
}

struct systems_query {
    int64_t type, limit, offset;
    const char *name;
    bool paged;
};

static bool read_systems_query(const struct dispatch *d, struct systems_query *q)
{
    const char *type = params_get(&d->query, "type"), *limit = params_get(&d->query, "limit");
    const char *offset = params_get(&d->query, "offset");

    *q = (struct systems_query){.limit = 100000, .name = params_get(&d->query, "name")};
    q->paged = limit != NULL;
    return (!type || text_int(type, 1, 4, &q->type)) && (!limit || text_int(limit, 0, INT_MAX, &q->limit)) &&
           (!offset || !limit || text_int(offset, 0, INT_MAX, &q->offset));
}

static int64_t put_systems(const struct dispatch *d, struct jsonw *w, const struct systems_query *q)
{
    const struct vec *from = q->name ? names_find(&d->model->system_names, q->name) : &d->model->systems;
    struct systems_writer of;
    int64_t seen = 0;

    of.nworkgroups = workgroups(d->model, of.workgroup);
    for (size_t i = 0; from && i < from->n; i++) {
        const struct model_system *s = from->item[i];
        if (q->type && entity_type(s) != q->type)
            continue;
        if (seen >= q->offset && seen - q->offset < q->limit)
            put_system(w, &of, s);
        seen++;
    }
    return seen;
}

void calls_systems(struct dispatch *d)
{
    struct systems_query q;
    struct buf rows = BUF_INIT(SIM_ANSWER_MAX);
    struct jsonw w, list;
    int64_t total;

    if (!read_systems_query(d, &q)) {
        answer_text(d, 400, "Invalid value for type, limit or offset");
        return;
    }
    list = jsonw_start(&rows);
    jsonw_array(&list, NULL);
    total = put_systems(d, &list, &q);
    jsonw_end(&list);
    w = answer_json(d, 200);
    if (q.paged && !rows.failed) {
        jsonw_object(&w, NULL);
        jsonw_int(&w, "TotalCount", total);
        jsonw_raw(&w, "Data", rows.data, rows.len);
        jsonw_end(&w);
        buf_free(&rows);
    } else {
        buf_move(&d->answer->body, &rows);
    }
}

void calls_system(struct dispatch *d)
{
    const struct model_system *s = model_system(d->model, d->ids[0]);
    struct systems_writer of;
    struct jsonw w;

    if (!s) {
        answer_text(d, 404, "Managed System not found");
        return;
    }
    of.nworkgroups = workgroups(d->model, of.workgroup);
    w = answer_json(d, 200);
    put_system(&w, &of, s);
}

/* ---- users and groups ---- */

static void put_user(struct jsonw *w, const struct model_user *u)
{
    const char *slash = strchr(u->name, '\\');

    jsonw_object(w, NULL);
    jsonw_int(w, "UserID", u->id);
    jsonw_str(w, "UserName", slash ? slash + 1 : u->name);
    if (slash)
        jsonw_strn(w, "DomainName", u->name, (size_t)(slash - u->name));
    else
        jsonw_null(w, "DomainName");
    jsonw_null(w, "DistinguishedName");
    jsonw_str(w, "FirstName", u->display);
    jsonw_str(w, "LastName", "");
    jsonw_str(w, "EmailAddress", u->email);
    jsonw_bool(w, "IsQuarantined", u->quarantined);
    jsonw_bool(w, "IsActive", u->enabled);
    if (u->application)
        jsonw_str(w, "UserType", "Application");
    jsonw_end(w);
}

void calls_users(struct dispatch *d)
{
    const char *name = params_get(&d->query, "username");
    const struct model_user *one = name ? model_user_named(d->model, name) : NULL;
    struct jsonw w;

    if (name && !one) {
        answer_text(d, 404, "User not found");
        return;
    }
    w = answer_json(d, 200);
    jsonw_array(&w, NULL);
    for (size_t i = 0; !one && i < d->model->users.n; i++)
        put_user(&w, d->model->users.item[i]);
    if (one)
        put_user(&w, one);
    jsonw_end(&w);
}

void calls_user(struct dispatch *d)
{
    const struct model_user *u = model_user(d->model, d->ids[0]);
    struct jsonw w;

    if (!u) {
        answer_text(d, 404, "User not found");
        return;
    }
    w = answer_json(d, 200);
    put_user(&w, u);
}

static void put_group(struct jsonw *w, const struct model_group *g)
{
    jsonw_object(w, NULL);
    jsonw_int(w, "GroupID", g->id);
    jsonw_str(w, "Name", g->name);
    jsonw_null(w, "DistinguishedName");
    jsonw_str(w, "Description", g->name);
    jsonw_str(w, "GroupType", "BeyondInsight");
    jsonw_null(w, "AccountAttribute");
    jsonw_null(w, "MembershipAttribute");
    jsonw_array(w, "ApplicationRegistrationIDs");
    if (g->registration)
        jsonw_int(w, NULL, 1);
    jsonw_end(w);
    jsonw_bool(w, "IsActive", true);
    jsonw_end(w);
}

void calls_user_groups(struct dispatch *d)
{
    const struct model_user *u = model_user(d->model, d->ids[0]);
    struct jsonw w;

    if (!u) {
        answer_text(d, 404, "User not found");
        return;
    }
    w = answer_json(d, 200);
    jsonw_array(&w, NULL);
    for (size_t i = 0; i < u->groups.n; i++)
        put_group(&w, u->groups.item[i]);
    jsonw_end(&w);
}

void calls_groups(struct dispatch *d)
{
    const char *name = params_get(&d->query, "name");
    const struct model_group *one = name ? model_group_named(d->model, name) : NULL;
    struct jsonw w;

    if (name && !one) {
        answer_text(d, 404, "User group not found");
        return;
    }
    w = answer_json(d, 200);
    jsonw_array(&w, NULL);
    for (size_t i = 0; !one && i < d->model->groups.n; i++)
        put_group(&w, d->model->groups.item[i]);
    if (one)
        put_group(&w, one);
    jsonw_end(&w);
}

void calls_group_users(struct dispatch *d)
{
    const struct model_group *g = model_group(d->model, d->ids[0]);
    struct jsonw w;

    if (!g) {
        answer_text(d, 404, "User group not found");
        return;
    }
    w = answer_json(d, 200);
    jsonw_array(&w, NULL);
    for (size_t i = 0; i < d->model->users.n; i++) {
        const struct model_user *u = d->model->users.item[i];
        if (vec_has(&u->groups, g))
            put_user(&w, u);
    }
    jsonw_end(&w);
}
