/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lease_audit.c - the audit records of leases and vault requests; see lease_audit.h.
 *
 * No caller's request causes them, so they have no request id: the lease id joins them to the record of the
 * check-out, the vault's request id to the vault's own audit.
 */
#include "broker/leases/lease_audit.h"

#include "base/log.h"
#include "base/text.h"
#include "broker/leases/sites.h"
#include "broker/leases/vault_ref.h"

#include <stdio.h>
#include <string.h>

static void add_vault_request(struct audit_note *n, const struct vault_request *request)
{
    audit_text(n, "vault", vault_request_vault(request)->conf->name);
    audit_text(n, "run_as", request->user);
    audit_number(n, "vault_request_id", request_key_number(vault_request_name(request)));
}

static void add_person(struct audit_note *n, const struct lease *lease)
{
    audit_text(n, "user", session_leases_user(lease->session_leases));
    audit_text(n, "domain", session_leases_domain(lease->session_leases));
    audit_text(n, "session", session_leases_session(lease->session_leases));
    audit_text(n, "lsid", lease_lsid(lease));
}

static void add_asker(struct audit_note *n, const struct vault_request *request)
{
    add_person(n, request->asker);
    audit_text(n, "lease_id", request->asker->id);
    audit_text(n, "credential_id", request->asker->credential_id);
}

void audit_lease_end(struct audit *a, const struct lease *lease, const char *why,
                     const struct session_end *end)
{
    struct audit_note n;

    if (!a)
        return;
    audit_note(&n, a, "lease_end");
    audit_text(&n, "reason", why);
    audit_text(&n, "source", end ? session_end_word(end->source) : NULL);
    audit_text(&n, "pra", end ? end->site : NULL);
    add_person(&n, lease);
    audit_text(&n, "lease_id", lease->id);
    audit_text(&n, "credential_id", lease->credential_id);
    add_vault_request(&n, lease->request);
    audit_count(&n, "held_seconds", (int64_t)lease_age_s(lease->request->vault_ref->leases, lease));
    audit_count(&n, "remaining_holders", (int64_t)vault_request_holders(lease->request) - 1);
    audit_write(&n);
}

/* `key`: what the outcome is called. */
static void write_checkin(struct audit *a, const char *event, const char *key, const char *outcome,
                          const struct vault_request *request, unsigned attempts, const char *last_error)
{
    struct audit_note n;

    if (!a)
        return;
    audit_note(&n, a, event);
    audit_text(&n, key, outcome);
    add_asker(&n, request);
    add_vault_request(&n, request);
    audit_count(&n, "attempts", attempts);
    audit_text(&n, "last_error", last_error);
    audit_write(&n);
}

void audit_checkin_end(struct audit *a, const struct vault_request *request, const char *outcome,
                       unsigned attempts, const char *error)
{
    write_checkin(a, "checkin", "outcome", outcome, request, attempts, error);
}

void audit_checkin_failed(struct audit *a, const struct vault_request *request, unsigned attempts,
                          const char *error)
{
    write_checkin(a, "checkin_failed", "code", error, request, attempts, NULL);
}

void audit_spin(struct audit *a, const struct vault_request *request, const char *outcome, unsigned attempts,
                const char *error)
{
    write_checkin(a, "spin", "outcome", outcome, request, attempts, error);
}

void audit_reconciled(struct audit *a, const struct vault_request *request, const char *found,
                      const char *mark)
{
    struct audit_note n;

    if (!a)
        return;
    audit_note(&n, a, "reconcile");
    audit_text(&n, "found", found);
    audit_text(&n, "lease_id", mark);
    add_vault_request(&n, request);
    audit_write(&n);
}

void audit_recovery_end(struct audit *a, const char *run_as, const struct lease *lease, const char *outcome)
{
    struct audit_note n;

    if (!a)
        return;
    audit_note(&n, a, "reconcile");
    audit_text(&n, "found", outcome);
    add_person(&n, lease);
    audit_text(&n, "lease_id", lease->id);
    audit_text(&n, "run_as", run_as);
    audit_write(&n);
}

static void add_holder(struct audit_note *n, const struct holder *h)
{
    audit_text(n, "user", h->username);
    audit_text(n, "domain", h->domain);
    audit_text(n, "session", h->session);
    audit_text(n, "lsid", h->lsid);
    audit_text(n, "credential_id", h->credential);
}

/* On another gateway's request: its owner in place of what that one knows. */
static void add_hold(struct audit_note *n, const struct request_row *request, const struct lease_row *lease,
                     unsigned others, int64_t now_wall_ms)
{
    int64_t held_ms = now_wall_ms - lease->holder.created_wall_ms;

    audit_text(n, "vault", request->vault);
    audit_text(n, "run_as", request->user);
    audit_number(n, "vault_request_id", request_key_number(request->name));
    if (*request->owner && !request->mine) {
        audit_text(n, "owner", request->owner);
        return;
    }
    audit_count(n, "held_seconds", held_ms > 0 ? held_ms / 1000 : 0);
    audit_count(n, "remaining_holders", others);
}

void audit_lease_row_end(struct audit *a, const struct request_row *request, const struct lease_row *lease,
                         const struct lease_end_record *record, unsigned others, int64_t now_wall_ms)
{
    const struct session_end *end = record->end;
    struct audit_note n;

    if (!a)
        return;
    audit_note(&n, a, "lease_end");
    audit_text(&n, "reason", record->why);
    audit_text(&n, "source", end ? session_end_word(end->source) : NULL);
    audit_text(&n, "pra", end ? end->site : NULL);
    audit_text(&n, "lease_id", lease->id);
    add_holder(&n, &lease->holder);
    if (*request->mark)
        add_hold(&n, request, lease, others, now_wall_ms);
    audit_write(&n);
}

const char *lease_end_text(const struct lease_end_record *record, char text[STORE_RECORD_SIZE])
{
    const struct session_end *end = record->end;

    if (!record->why)
        return NULL;
    (void)snprintf(text, STORE_RECORD_SIZE, "%s%s%s%s%s", record->why, end ? " " : "",
                   end ? session_end_word(end->source) : "", end ? " " : "", end ? end->site : "");
    return text;
}

/* Word by word; the last one, a site, is the rest. */
static void add_end_text(struct audit_note *n, const char *record)
{
    static const char *const names[] = {"reason", "source", "pra"};
    char word[STORE_RECORD_SIZE];

    for (size_t i = 0; i < sizeof names / sizeof *names && *record; i++) {
        size_t len = i < 2 ? strcspn(record, " ") : strlen(record);

        (void)text_copy_n(word, sizeof word, record, len < sizeof word ? len : sizeof word - 1);
        audit_text(n, names[i], word);
        record += len;
        record += *record == ' ';
    }
}

void audit_unrecorded_end(struct audit *a, const struct store_end *end)
{
    struct audit_note n;

    if (!a)
        return;
    audit_note(&n, a, "lease_end");
    add_end_text(&n, end->record);
    audit_text(&n, "lease_id", end->lease);
    audit_text(&n, "vault", end->vault);
    audit_number(&n, "vault_request_id", request_key_number(end->name));
    audit_moment(&n, "ended_at", end->at_wall_ms);
    audit_text(&n, "from", end->from);
    audit_write(&n);
}

void audit_adopted(struct audit *a, const char *from, const struct request_row *row,
                   const struct lease_row *lease)
{
    static const char *const states[REQUEST_NSTATES] = {"intent", "open",    "releasing",
                                                        "lapsed", "pending", "spinning"};
    struct audit_note n;

    if (!a)
        return;
    audit_note(&n, a, "adopted");
    audit_text(&n, "lease_id", lease ? lease->id : row->mark);
    audit_text(&n, "state", states[row->state]);
    add_holder(&n, lease ? &lease->holder : &row->asker);
    audit_text(&n, "vault", row->vault);
    audit_text(&n, "run_as", row->user);
    audit_number(&n, "vault_request_id", request_key_number(row->name));
    audit_text(&n, "from", from);
    audit_text(&n, "to", row->owner);
    audit_write(&n);
}

void audit_cluster(struct audit *a, const char *event, size_t leases)
{
    struct audit_note n;

    if (!a)
        return;
    audit_note(&n, a, event);
    audit_count(&n, "leases", (int64_t)leases);
    audit_write(&n);
}

void lease_log_change(const char *change, const struct vault_request *request, const struct lease *lease)
{
    log_debug("lease_change", "change=%s user=%s lease=%s holders=%zu", change, request->user,
              lease ? lease->id : NULL, vault_request_holders(request));
}
