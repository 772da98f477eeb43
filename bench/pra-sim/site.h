/*
 * site.h - the simulated site: accounts, sessions, Jumpoints, role, outbound events and knobs.
 *
 * No network and no clock of its own: time comes from a heap of deadlines. What a test does through the admin
 * port and what a call does go through the same functions, so that an end has the same effects (report rows,
 * outbound event) in both cases.
 */
#ifndef PRA_SIM_SITE_H
#define PRA_SIM_SITE_H

#include "base/timers.h"
#include "pra-sim/accounts.h"
#include "pra-sim/knob_table.h"
#include "pra-sim/month.h"
#include "pra-sim/outbound.h"
#include "pra-sim/sessions.h"

#define SITE_IPS 4

enum violation { /* what the vendor's documents forbid */
                 VIOLATION_MULTIPART,
                 VIOLATION_CONTENT_TYPE,
                 VIOLATION_UNKNOWN_PARAMETER,
                 VIOLATION_REPEATED_PARAMETER,
                 VIOLATION_MISSING_PARAMETER,
                 VIOLATION_BAD_PARAMETER,
                 VIOLATION_BOTH_TIMES,
                 VIOLATION_KEPT_CONNECTION,
                 VIOLATION_TOKEN_IN_URL,
                 VIOLATION_NO_BASIC,
                 VIOLATION_CHANGING_ACTION,
                 VIOLATION_NOT_SIMULATED,
                 VIOLATION_NO_ACCEPT,
                 VIOLATION_NO_LENGTH,
                 VIOLATION_CHANGING_CALL,
                 VIOLATION_RATE_SECOND,
                 VIOLATION_RATE_HOUR,
                 VIOLATION_WRONG_METHOD,
                 VIOLATION_COUNT
};

extern const char *const violation_names[VIOLATION_COUNT];

enum failover_role { ROLE_NONE, ROLE_PRIMARY, ROLE_BACKUP, ROLE_COUNT };

extern const char *const failover_roles[ROLE_COUNT];

struct jumpoint {
    int id;
    char *name, *code_name, *comments, *platform, *network_id, *hostname, *public_ip, *private_ip;
    bool enabled, connected, clustered;
    int64_t connect_ms, disconnect_ms; /* 0 = never */
};

struct gone_item { /* of the Configuration API, by a test */
    UT_hash_handle hh;
    char path[64];
};

struct site {
    struct timers *timers;
    const struct clock *clock;
    int knob[KNOB_COUNT];
    struct accounts accounts;
    struct sessions sessions;
    struct month *month; /* sessions that are made up; NULL = none */
    struct outbound outbound;
    struct vec jumpoints;
    struct gone_item *gone;
    int next_jumpoint;

    bool healthy, xml_api; /* the box "Enable XML API" */
    enum failover_role role;
    char *appliance_id, *hostname, *version, *api_version, *error_message;
    char *shared_ips; /* comma list; "" = none */
    int64_t sync_ms;  /* last data sync, Unix ms */
    char *sync_status;
    uint64_t violations[VIOLATION_COUNT];
    uint64_t terminated; /* sessions ended by terminate_session */
    uint64_t event_version;
    uint64_t report_lag_ms;          /* from the end of a session until a report by end has it */
    uint64_t late_permille, late_ms; /* so many of 1000 ends are in reports by end only after that time */
    uint64_t syslog_segment;         /* most bytes of a message before it is split */
    uint64_t signatures;             /* of links */
};

/* With two Jumpoints. NULL = out of memory. */
struct site *site_new(struct timers *, uint64_t seed);
void site_free(struct site *);

int64_t site_now(const struct site *); /* Unix milliseconds */
struct jumpoint *site_jumpoint(const struct site *, const char *name);
struct jumpoint *site_jumpoint_by_id(const struct site *, int id);
/* NULL = out of memory. */
struct jumpoint *site_add_jumpoint(struct site *, const char *name);
void site_connect_jumpoint(struct site *, struct jumpoint *, bool connected);

/* Sessions that are made up, with the Jumpoints they need; replaces those that were. 0 or -ENOMEM. */
int site_make_month(struct site *, const struct month_opts *);

/* Is "jump-item/remote-rdp/7", "jumpoint/2" and the like out of the inventory? */
bool site_is_gone(const struct site *, const char *path);
/* 0 or -ENOMEM. */
int site_set_gone(struct site *, const char *path, bool gone);

/* An outbound event goes out for a session that has begun, or ended. 0 or -ENOMEM. */
int site_session_begun(struct site *, const struct session *);
int site_session_ended(struct site *, const struct session *);
/* By its parts; lsid and custom may be NULL. 0 or -ENOMEM. */
int site_event(struct site *, struct recipient *only, enum outbound_kind, const char *name, const char *lsid,
               const char *external_key);
/* The name of an event of that kind, as the knob has it. */
const char *site_event_name(const struct site *, enum outbound_kind);
void site_set_role(struct site *, enum failover_role);

#endif
