/* SPDX-License-Identifier: Apache-2.0 */
/*
 * year.c - a year of sessions, made from a seed; see year.h.
 */
#include "report-year/year.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define GROUPS    20
#define USERS     500
#define ENDPOINTS 5000
#define JUMPOINTS 10

struct making {
    struct record_arena *arena;
    uint64_t random;
    bool failed;
};

/* splitmix64 */
static uint64_t draw(struct making *m)
{
    uint64_t x = m->random += 0x9e3779b97f4a7c15U;

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9U;
    x = (x ^ x >> 27) * 0x94d049bb133111ebU;
    return x ^ x >> 31;
}

static unsigned pick(struct making *m, unsigned n)
{
    return (unsigned)(draw(m) >> 33) % n;
}

/* The n-th is chosen 1/n as often as the first. */
static unsigned pick_zipf(struct making *m)
{
    static const double total = 3.59773966; /* 1 + 1/2 + … + 1/GROUPS */
    double at = (double)(draw(m) >> 11) / 9007199254740992.0 * total;

    for (unsigned i = 1; i < GROUPS; i++) {
        at -= 1.0 / i;
        if (at < 0)
            return i - 1;
    }
    return GROUPS - 1;
}

static const char *numbered(struct making *m, const char *word, unsigned number)
{
    char text[96];
    int n = snprintf(text, sizeof(text), "%s-%u", word, number);
    const char *copy = record_text(m->arena, text, (size_t)n);

    m->failed |= !copy;
    return copy;
}

static void add_pair(struct making *m, struct record_event *e, const char *name, const char *value)
{
    struct record_pair *p = record_append(m->arena, &e->data, &e->ndata, &e->data_room, sizeof(*p));

    m->failed |= !p;
    if (p)
        *p = (struct record_pair){name, value};
}

static void add_event(struct making *m, struct record_session *r, unsigned i)
{
    static const char *const types[] = {"Session Foreground Window Changed",
                                        "Session Mouse Left Clicked",
                                        "Conference Member Added",
                                        "Screen Recording",
                                        "Chat Message",
                                        "File Download",
                                        "Credential Injection Attempt",
                                        "Credential Injection Attempt Failed"};
    static const char *const reasons[] = {"Access denied", "Time-out", "Account locked"};
    struct record_event *e = record_append(m->arena, &r->events, &r->nevents, &r->events_room, sizeof(*e));
    /* Mostly windows and clicks; one event in twenty concerns a credential. */
    unsigned kind = pick(m, 100);
    unsigned type = kind < 50 ? 0 : kind < 70 ? 1 : kind < 95 ? 2 + kind % 4 : kind < 99 ? 6 : 7;

    m->failed |= !e;
    if (m->failed)
        return;
    *e = (struct record_event){.timestamp = r->start + (int64_t)i * 15,
                               .type = i == 0                 ? "Session Start"
                                       : i == YEAR_EVENTS - 1 ? "Session End"
                                                              : types[type],
                               .performed_by = r->primary_rep,
                               .performed_by_type = "representative",
                               .performed_by_gsnumber = 3,
                               .destination = r->primary_customer,
                               .destination_type = "customer",
                               .destination_gsnumber = 2,
                               .filesize = RECORD_NONE};
    if (type == 7)
        add_pair(m, e, "failure_reason", reasons[pick(m, 3)]);
    else
        add_pair(m, e, "window_title", numbered(m, "Administrator: Windows PowerShell", pick(m, 1000)));
}

static void add_people(struct making *m, struct record_session *r, unsigned user)
{
    struct record_person *p = record_append(m->arena, &r->representatives, &r->nrepresentatives,
                                            &r->representatives_room, sizeof(*p));

    m->failed |= !p;
    if (p)
        *p = (struct record_person){.gsnumber = 3,
                                    .username = numbered(m, "user", user),
                                    .rep_id = user,
                                    .display_name = r->primary_rep,
                                    .public_ip = "192.0.2.7:51234",
                                    .seconds_involved = 600,
                                    .session_owner = true};
    p = record_append(m->arena, &r->customers, &r->ncustomers, &r->customers_room, sizeof(*p));
    m->failed |= !p;
    if (p)
        *p = (struct record_person){
            .gsnumber = 2, .username = r->primary_customer, .hostname = r->primary_customer};
}

static void fill(struct making *m, const struct year *y, uint64_t number, struct record_session *r)
{
    unsigned user = pick(m, USERS), group = pick_zipf(m), jumpoint = pick(m, JUMPOINTS);
    char lsid[33];

    (void)snprintf(lsid, sizeof(lsid), "%016" PRIx64 "%016" PRIx64, draw(m), number);
    *r = (struct record_session){
        .lsid = record_text(m->arena, lsid, 32),
        .type = "support",
        .lseq = (int64_t)number,
        .start = y->end - YEAR_SECONDS + (int64_t)((double)number * YEAR_SECONDS / (double)y->sessions),
        .duration = "00:10:00",
        .jumpoint_id = jumpoint + 1,
        .jumpoint_name = numbered(m, "jumpoint", jumpoint),
        .jump_group_id = group,
        .jump_group_name = numbered(m, "group", group),
        .jump_group_type = "shared",
        .primary_customer = numbered(m, "endpoint", pick(m, ENDPOINTS)),
        .primary_rep = numbered(m, "Firstname Lastname", user),
        .recording_view_url =
            "https://pra.example.com/session_download?lsid=l%3D0123456789abcdef%3Bh%3D01234567",
    };
    r->end = r->start + 30 + (int64_t)pick(m, 3600) * (1 + pick(m, 8));
    m->failed |= !r->lsid;
    add_people(m, r, user);
    for (unsigned i = 0; i < YEAR_EVENTS && !m->failed; i++)
        add_event(m, r, i);
}

struct year_session year_session(const struct year *y, struct record_arena *arena, uint64_t number)
{
    static const char *const hosts[] = {"pra-one.example.com", "pra-two.example.com"};
    struct making m = {.arena = arena, .random = y->seed * 0x2545f4914f6cdd1dU + number};
    struct record_session *r = record_alloc(arena, sizeof(*r));
    unsigned site = pick(&m, 3) == 0, fate = pick(&m, 200);

    if (!r)
        return (struct year_session){.session = NULL};
    fill(&m, y, number, r);
    if (fate == 0)
        r->end = RECORD_NONE;
    return (struct year_session){hosts[site], m.failed ? NULL : r, fate != 0};
}
