/*
 * model.h - what the simulated vault knows: users, groups, smart rules, policies, systems, accounts, links.
 *
 * The model does no I/O. Time comes through a clock and a heap of deadlines that the owner drives, so a test
 * moves both. Everything is found by hash (ids, names, addresses); the few lists that are walked (rules,
 * groups, policies) are short by nature.
 *
 * Who may do what: a group that has the API registration ticked holds grants, each giving roles on the
 * accounts of one smart rule, with the access policy that governs requests made through it. A (system,
 * account) pair is what can be listed and requested: an account on its own system, or a directory account
 * linked to a system.
 *
 * Ownership: the model owns every object and frees them in model_free(). Objects are never removed (ids in
 * flight stay valid); `removed`, `enabled`, `api_enabled` say what no longer counts. `generation` grows with
 * every change of entitlements.
 */
#ifndef SIM_MODEL_H
#define SIM_MODEL_H

#include "base/memory/secret.h"
#include "base/timers.h"
#include "passwordsafe-sim/settings.h"
#include "sim/hash.h"
#include "sim/strings.h"
#include "sim/vec.h"

#include <stdint.h>
#include <sys/queue.h>

enum model_role { ROLE_REQUESTOR = 1, ROLE_APPROVER = 2, ROLE_ISA = 4 };
enum model_permission { PERMIT_SYSTEMS = 1, PERMIT_USERS = 2, PERMIT_POLICIES = 4, PERMIT_QUARANTINE = 8 };
enum model_kind { KIND_SYSTEM, KIND_LINKED, KIND_DATABASE, KIND_APPLICATION, KIND_CLOUD, KIND_NKINDS };
enum model_access { ACCESS_VIEW, ACCESS_RDP, ACCESS_SSH, ACCESS_APP, ACCESS_NTYPES };

extern const char *const model_access_names[ACCESS_NTYPES];
/* ACCESS_NTYPES when unknown; any letter case. */
enum model_access model_access_of(const char *name);

struct model_offer { /* one access type of a schedule */
    bool offered, record;
    int min_approvers, max_concurrent;
};

struct model_schedule {
    int id;
    bool require_reason, require_ticket;
    int ticket_system;
    int open_from, open_to; /* minutes of the UTC day, [from, to) */
    struct model_offer offer[ACCESS_NTYPES];
};

#define MODEL_SCHEDULES 4

struct model_policy {
    int id;
    char *name, *description;
    bool rotation_override;
    struct model_schedule schedules[MODEL_SCHEDULES];
    size_t nschedules;
};

struct model_rule {
    size_t index; /* place in model->rules */
    char *name;
};

struct model_grant {
    struct model_rule *rule;
    unsigned roles;
    struct model_policy *policy;
};

struct model_group {
    int id;
    char *name;
    bool registration; /* the API registration is ticked */
    unsigned permissions;
    struct vec grants; /* struct model_grant, owned */
};

struct model_system {
    int id, platform;
    char *name, *dns_name, *ip, *workgroup, *instance, *netbios;
    bool is_database, is_directory;
    struct vec pairs;
    UT_hash_handle by_id;
};

TAILQ_HEAD(request_list, request);

struct model_account {
    int id;
    struct model_system *system;
    char *name, *domain, *upn, *description, *application, *node;
    int application_id;
    bool api_enabled, rotates;
    int max_concurrent, default_minutes, max_minutes;
    int dedicated_user;               /* 0 = none */
    int64_t last_change, next_change; /* wall, 0 = null */
    int change_state;                 /* 0 idle, 1 changing, 2 queued */
    bool has_password, has_key, has_passphrase;
    struct secret password, key, passphrase; /* as set; otherwise derived from seed, id and version */
    unsigned version;                        /* of the credential */
    unsigned row_version;                    /* of what lists show */
    struct vec rules;
    struct vec pairs;
    struct request_list live;
    struct deadline change;
    struct model *model;
    UT_hash_handle by_id;
};

struct model_pair {
    struct model_system *system;
    struct model_account *account;
    enum model_kind kind;
    bool removed;
    char *row; /* cached list row */
    size_t row_len;
    unsigned row_version;
};

#define MODEL_RECENT 50

struct model_user {
    int id;
    char *name, *display, *email, *sid;
    struct secret password, mfa;
    bool enabled, quarantined, application;
    struct vec groups;
    struct vec cookies; /* char *, for the next sessions, owned */
    size_t cookies_used;
    struct access *access;
    uint64_t access_generation;
    struct request_list live;
    struct model_pair *recent[MODEL_RECENT]; /* newest first */
    size_t nrecent;
    UT_hash_handle by_id;
};

struct model_settings {
    uint64_t minute_ms, session_idle_ms, rotation_delay_ms;
    uint64_t token_minutes;
    bool require_password, require_mfa, require_certificate, registration_active, verification_cookie;
    struct secret api_key;
    char *allow_from; /* source address of sign-ins; NULL = any */
    uint64_t seed;
    size_t max_finished; /* finished requests kept for the state report */
    struct settings settings;
};

struct model {
    struct model_settings settings;
    struct timers *timers;
    const struct clock *clock;
    uint64_t generation;

    struct vec users, groups, rules, policies, systems, accounts, pairs; /* owned */
    struct model_user *users_by_id;
    struct model_system *systems_by_id;
    struct model_account *accounts_by_id;
    struct names user_names, system_names, system_ips, account_names, applications;
    struct vec access; /* resolved entitlements, owned */
    uint64_t access_generation;
    bool pairs_sorted;

    struct requests *requests;
    struct sessions *sessions;
};

/* The clock and the timers must outlive the model. NULL = out of memory. */
struct model *model_new(struct timers *);
void model_free(struct model *);

int64_t model_wall(const struct model *);
uint64_t model_now(const struct model *);

struct model_user *model_user(const struct model *, int id);
struct model_user *model_user_named(const struct model *, const char *name);
struct model_system *model_system(const struct model *, int id);
struct model_account *model_account(const struct model *, int id);
struct model_group *model_group(const struct model *, int id);
struct model_group *model_group_named(const struct model *, const char *name);
struct model_policy *model_policy(const struct model *, int id);
struct model_policy *model_policy_named(const struct model *, const char *name);
struct model_pair *model_pair(const struct model_system *, int account_id);

/* Makers: a new object with defaults, registered under its id (0 = next free). NULL = out of memory or id
 * taken. */
struct model_user *model_add_user(struct model *, int id, const char *name);
struct model_group *model_add_group(struct model *, int id, const char *name);
struct model_rule *model_rule_named(struct model *, const char *name); /* made when missing */
struct model_policy *model_add_policy(struct model *, int id, const char *name);
struct model_system *model_add_system(struct model *, int id, const char *name);
/* Makes the pair with its own system too, unless that is a directory. */
struct model_account *model_add_account(struct model *, int id, struct model_system *, const char *name,
                                        const char *domain);
int model_grant(struct model *, struct model_group *, struct model_rule *, unsigned roles,
                struct model_policy *);
void model_clear_grants(struct model_group *);
int model_link(struct model *, struct model_system *, struct model_account *);
/* Under which names accountName finds it; once domain and upn are set. */
int model_index_account(struct model *, struct model_account *);
/* The entitlements of some user may have changed. */
void model_changed(struct model *);
void model_account_changed(struct model_account *);

#endif
