/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reading_rig.c - see reading_rig.h.
 */
#include "reading_rig.h"

#include "base/utf8.h"
#include "check.h"

#include <inttypes.h>
#include <stdlib.h>

static void put_text(struct buf *to, const char *name, const char *text)
{
    if (!text)
        return;
    if (!utf8_valid(text, strlen(text)))
        fail_msg("%s is no UTF-8", name);
    assert_int_equal(buf_printf(to, " %s=%s", name, text), 0);
}

static void put_number(struct buf *to, const char *name, int64_t number)
{
    if (number != RECORD_NONE)
        assert_int_equal(buf_printf(to, " %s=%" PRId64, name, number), 0);
}

static void put_pairs(struct buf *to, const struct record_pair *pairs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        assert_int_equal(buf_printf(to, " [%s=%s]", pairs[i].name ? pairs[i].name : "-",
                                    pairs[i].value ? pairs[i].value : "-"),
                         0);
}

#define TEXT(name)   put_text(to, #name, r->name)
#define NUMBER(name) put_number(to, #name, r->name)

static void put_event(struct buf *to, const struct record_event *r)
{
    (void)buf_str(to, "  event");
    NUMBER(timestamp);
    TEXT(type);
    TEXT(performed_by);
    TEXT(performed_by_type);
    NUMBER(performed_by_gsnumber);
    TEXT(destination);
    TEXT(destination_type);
    NUMBER(destination_gsnumber);
    TEXT(body);
    TEXT(filename);
    NUMBER(filesize);
    put_pairs(to, r->data, r->ndata);
    (void)buf_char(to, '\n');
    for (size_t i = 0; i < r->ninfo; i++)
        (void)buf_printf(to, "    info %s/%" PRId64 "/%s=%s\n",
                         r->info[i].category ? r->info[i].category : "-", r->info[i].row, r->info[i].field,
                         r->info[i].value ? r->info[i].value : "-");
}

static void put_person(struct buf *to, const char *kind, const struct record_person *r)
{
    (void)buf_printf(to, "  %s", kind);
    NUMBER(gsnumber);
    NUMBER(rep_id);
    TEXT(username);
    TEXT(display_name);
    TEXT(public_display_name);
    TEXT(private_display_name);
    TEXT(public_ip);
    TEXT(private_ip);
    TEXT(hostname);
    TEXT(os);
    NUMBER(seconds_involved);
    (void)buf_printf(to, " owner=%d invited=%d\n", r->session_owner, r->invited);
}

static void put_session(struct buf *to, const struct record_session *r)
{
    (void)buf_str(to, "session");
    TEXT(lsid);
    TEXT(type);
    NUMBER(lseq);
    NUMBER(start);
    NUMBER(end);
    TEXT(duration);
    NUMBER(jumpoint_id);
    TEXT(jumpoint_name);
    NUMBER(jump_group_id);
    TEXT(jump_group_name);
    TEXT(jump_group_type);
    TEXT(external_key);
    TEXT(primary_customer);
    NUMBER(primary_customer_gsnumber);
    TEXT(primary_rep);
    NUMBER(primary_rep_gsnumber);
    NUMBER(file_transfers);
    NUMBER(file_moves);
    NUMBER(file_deletes);
    TEXT(chat_view_url);
    TEXT(chat_download_url);
    TEXT(recording_view_url);
    TEXT(recording_download_url);
    (void)buf_printf(to, " cut=%" PRIu64 "\n", r->texts_cut);
    for (size_t i = 0; i < r->nattributes; i++)
        (void)buf_printf(to, "  attribute %s/%s=%s\n", r->attributes[i].display_name,
                         r->attributes[i].code_name, r->attributes[i].value);
    for (size_t i = 0; i < r->ncustomers; i++)
        put_person(to, "customer", &r->customers[i]);
    for (size_t i = 0; i < r->nrepresentatives; i++)
        put_person(to, "representative", &r->representatives[i]);
    for (size_t i = 0; i < r->nshells; i++)
        (void)buf_printf(to, "  shell %" PRId64 " %s %s\n", r->shells[i].instance, r->shells[i].view_url,
                         r->shells[i].download_url);
    for (size_t i = 0; i < r->nevents; i++)
        put_event(to, &r->events[i]);
}

static void put_team(struct buf *to, const struct record_team *r)
{
    (void)buf_str(to, "team");
    NUMBER(team_id);
    TEXT(name);
    NUMBER(timestamp);
    TEXT(type);
    TEXT(performed_by);
    put_pairs(to, r->data, r->ndata);
    (void)buf_char(to, '\n');
}

static void put_vault(struct buf *to, const struct record_vault_activity *r)
{
    (void)buf_str(to, "vault");
    NUMBER(timestamp);
    TEXT(event_type);
    TEXT(account_id);
    TEXT(performed_by);
    TEXT(performed_by_type);
    TEXT(data);
    (void)buf_char(to, '\n');
}

static void put_syslog(struct buf *to, const struct record_syslog *r)
{
    (void)buf_str(to, "syslog");
    NUMBER(timestamp);
    TEXT(appliance);
    TEXT(event);
    TEXT(target);
    TEXT(status);
    TEXT(who);
    TEXT(who_ip);
    (void)buf_printf(to, " #%" PRIu64, r->ordinal);
    put_pairs(to, r->data, r->ndata);
    (void)buf_char(to, '\n');
}

static void put_account(struct buf *to, const struct record_vault_account *r)
{
    (void)buf_str(to, "account");
    NUMBER(account_id);
    TEXT(type);
    TEXT(name);
    TEXT(username);
    TEXT(description);
    NUMBER(account_group_id);
    TEXT(account_policy);
    NUMBER(endpoint_id);
    NUMBER(last_checkout);
    (void)buf_char(to, '\n');
}

static void put_item(struct buf *to, const struct record_jump_item *r)
{
    (void)buf_str(to, "item");
    TEXT(type);
    NUMBER(item_id);
    TEXT(name);
    TEXT(hostname);
    NUMBER(jump_group_id);
    TEXT(jump_group_type);
    NUMBER(jumpoint_id);
    TEXT(tag);
    (void)buf_char(to, '\n');
}

static void put_jumpoint(struct buf *to, const struct record_jumpoint *r)
{
    (void)buf_str(to, "jumpoint");
    NUMBER(jumpoint_id);
    TEXT(name);
    TEXT(platform);
    TEXT(network_id);
    (void)buf_printf(to, " %d%d%d\n", r->connected, r->enabled, r->clustered);
}

static void put_group(struct buf *to, const struct record_jump_group *r)
{
    (void)buf_str(to, "group");
    NUMBER(group_id);
    TEXT(name);
    TEXT(code_name);
    (void)buf_char(to, '\n');
}

void reading_write(struct buf *to, const struct report_batch *b)
{
    for (size_t i = 0; i < b->n; i++) {
        switch (b->kind) {
        case REPORT_SESSIONS: put_session(to, &b->sessions[i]); break;
        case REPORT_TEAM: put_team(to, &b->team[i]); break;
        case REPORT_VAULT_ACTIVITY: put_vault(to, &b->vault_activity[i]); break;
        case REPORT_SYSLOG: put_syslog(to, &b->syslog[i]); break;
        case REPORT_VAULT_ACCOUNTS: put_account(to, &b->vault_accounts[i]); break;
        case REPORT_JUMP_ITEMS: put_item(to, &b->jump_items[i]); break;
        case REPORT_JUMPOINTS: put_jumpoint(to, &b->jumpoints[i]); break;
        case REPORT_JUMP_GROUPS: put_group(to, &b->jump_groups[i]); break;
        default: (void)buf_printf(to, "listed %s %d\n", b->listed[i].lsid, b->listed[i].has_recording);
        }
    }
    assert_false(to->failed);
}

static void give(void *ctx, struct report_batch *batch)
{
    struct reading *r = ctx;

    assert_true(batch->n > 0);
    r->nrecords += batch->n;
    if (batch->arena.used > r->most_bytes)
        r->most_bytes = batch->arena.used;
    reading_write(&r->records, batch);
}

static void refused(void *ctx, const char *lsid, const char *why)
{
    struct reading *r = ctx;

    assert_int_equal(buf_printf(&r->refused, "%s: %s\n", lsid ? lsid : "-", why), 0);
}

void reading_run(struct reading *r, const struct xml_element *tree, enum report_kind kind, const char *xml,
                 size_t n, size_t piece, size_t limit)
{
    struct batch_out out = {.give = give, .ctx = r, .batch.arena.limit = limit};
    struct xml_reading reading = {.tree = tree, .kind = kind, .out = &out, .refused = refused, .ctx = r};
    struct pra_xml *x = pra_xml_new(&xml_reading_reader, &reading);

    assert_non_null(x);
    *r = (struct reading){.records = BUF_INIT(64U << 20), .refused = BUF_INIT(1U << 20)};
    for (size_t at = 0; at < n; at += piece) {
        if (!piece || piece > n - at)
            piece = n - at;
        char *copy = malloc(piece); /* of exactly its size, so that a read beyond it is found */
        assert_non_null(copy);
        memcpy(copy, xml + at, piece);
        pra_xml_feed(x, copy, piece);
        free(copy);
    }
    r->fault = pra_xml_end(x, r->text);
    batch_flush(&out);
    r->nrefused = reading.nrefused;
    r->ncut = reading.ncut;
    pra_xml_free(x);
    xml_reading_free(&reading);
    batch_free(&out);
    (void)buf_cstr(&r->records);
    (void)buf_cstr(&r->refused);
}

void reading_free(struct reading *r)
{
    buf_free(&r->records);
    buf_free(&r->refused);
}
