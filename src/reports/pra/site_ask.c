/* SPDX-License-Identifier: Apache-2.0 */
/*
 * site_ask.c - the questions to a site, as requests.
 *
 * Nothing here changes anything at the site: GET, and one POST whose form is too long for a URL. Lsids are
 * digits, the other values are numbers: nothing is to be escaped.
 */
#include "reports/pra/site_internal.h"

#include "base/container_of.h"
#include "base/text.h"
#include "reports/pra/read_pages.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define REPORT_PATH "/api/reporting?generate_report="

static struct site *site_of(struct report_site *base)
{
    return CONTAINER_OF(base, struct site, base);
}

static void read_with(struct site_call *c, const struct xml_element *tree, enum report_kind kind)
{
    c->http.kind = PRA_CALL_REPORT;
    c->reading.tree = tree;
    c->reading.kind = kind;
}

static int ask_listing(struct report_site *base, struct report_call *call, const struct report_window *w)
{
    struct site_call *c;
    int err = w->from_s < 0 || w->duration_s < 0 ? -EINVAL
                                                 : site_call_new(site_of(base), call, REPORT_ASK_LISTING, &c);

    if (err)
        return err;
    read_with(c, &report_listing, REPORT_LISTED);
    (void)buf_printf(&c->target, REPORT_PATH "AccessSessionListing&%s=%" PRId64 "&duration=%" PRId64,
                     w->by_start ? "start_time" : "end_time", w->from_s, w->duration_s);
    return site_call_send(c);
}

static int write_lsids(struct buf *form, const char *const *lsids, size_t n)
{
    char lsid[LSID_SIZE];

    (void)buf_str(form, "generate_report=AccessSession&lsids=");
    for (size_t i = 0; i < n; i++) {
        if (!lsid_normal(lsids[i], lsid))
            return -EINVAL;
        (void)buf_str(form, i ? "%2C" : "");
        (void)buf_str(form, lsid);
    }
    return 0;
}

static int ask_sessions(struct report_site *base, struct report_call *call, const char *const *lsids,
                        size_t n)
{
    struct site_call *c;
    int err =
        !n || n > REPORT_LSIDS_MAX ? -EINVAL : site_call_new(site_of(base), call, REPORT_ASK_SESSIONS, &c);

    if (err)
        return err;
    if (write_lsids(&c->form, lsids, n)) {
        site_call_free(c);
        return -EINVAL;
    }
    read_with(c, &report_session_list, REPORT_SESSIONS);
    c->out.batch.arena.limit = site_of(base)->max_session;
    (void)buf_str(&c->target, "/api/reporting");
    return site_call_send(c);
}

static int ask_since(struct report_site *base, struct report_call *call, enum report_ask ask, int64_t from_s)
{
    bool team = ask == REPORT_ASK_TEAM;
    struct site_call *c;
    int err = from_s < 0 ? -EINVAL : site_call_new(site_of(base), call, ask, &c);

    if (err)
        return err;
    read_with(c, team ? &report_team_list : &report_vault_list, team ? REPORT_TEAM : REPORT_VAULT_ACTIVITY);
    (void)buf_printf(&c->target, REPORT_PATH "%s&start_time=%" PRId64 "&duration=0",
                     team ? "Team" : "VaultAccountActivity", from_s);
    return site_call_send(c);
}

static int ask_team(struct report_site *base, struct report_call *call, int64_t from_s)
{
    return ask_since(base, call, REPORT_ASK_TEAM, from_s);
}

static int ask_vault(struct report_site *base, struct report_call *call, int64_t from_s)
{
    return ask_since(base, call, REPORT_ASK_VAULT, from_s);
}

static int ask_syslog(struct report_site *base, struct report_call *call, const char *known)
{
    struct site *site = site_of(base);
    struct site_call *c;
    int err = site->archive ? -EBUSY : site_call_new(site, call, REPORT_ASK_SYSLOG, &c);

    if (err)
        return err;
    read_with(c, &report_no_tree, REPORT_SYSLOG);
    c->http.kind = PRA_CALL_ARCHIVE;
    text_copy(c->spool.known, sizeof(c->spool.known), known ? known : "");
    (void)buf_str(&c->target, REPORT_PATH "Syslog");
    err = site_spool_begin(c);
    if (err) {
        site_call_free(c);
        return err;
    }
    err = site_call_send(c);
    if (!err)
        site->archive = c;
    return err;
}

static int page_target(struct site_call *c)
{
    const char *name = report_page_name(c->page_kind);

    if (c->bare && c->page == 1)
        return buf_printf(&c->target, "/api/config/v1/%s", name);
    if (c->bare)
        return buf_printf(&c->target, "/api/config/v1/%s?current_page=%u", name, c->page);
    return buf_printf(&c->target, "/api/config/v1/%s?per_page=%d&current_page=%u", name, REPORT_PAGE_ROWS,
                      c->page);
}

static int ask_page(struct report_site *base, struct report_call *call, enum report_page_kind kind,
                    unsigned page)
{
    struct site_call *c;
    int err =
        kind >= REPORT_NPAGES || !page ? -EINVAL : site_call_new(site_of(base), call, REPORT_ASK_PAGE, &c);

    if (err)
        return err;
    c->http.kind = PRA_CALL_PAGE;
    c->page_kind = kind;
    c->page = page;
    c->retarget = page_target;
    (void)page_target(c);
    return site_call_send(c);
}

static int ask_info(struct report_site *base, struct report_call *call)
{
    struct site_call *c;
    int err = site_call_new(site_of(base), call, REPORT_ASK_INFO, &c);

    if (err)
        return err;
    c->http.kind = PRA_CALL_INFO;
    (void)buf_str(&c->target, "-"); /* the client's own */
    return site_call_send(c);
}

static int ask_attributes(struct report_site *base, struct report_call *call, const char *lsid)
{
    char digits[LSID_SIZE];
    struct site_call *c;
    int err =
        !lsid_normal(lsid, digits) ? -EINVAL : site_call_new(site_of(base), call, REPORT_ASK_ATTRIBUTES, &c);

    if (err)
        return err;
    read_with(c, &report_attributes, REPORT_SESSIONS);
    (void)buf_printf(&c->target, "/api/command?action=get_session_attributes&lsid=%s", digits);
    return site_call_send(c);
}

/* ---- a call that runs ---- */

static void ask_pause(struct report_call *call)
{
    struct site_call *c = call->inside;

    if (!c)
        return;
    c->paused = true;
    pra_call_hold(&c->http);
}

static void ask_resume(struct report_call *call)
{
    struct site_call *c = call->inside;

    if (!c || !c->paused)
        return;
    c->paused = false;
    pra_call_go_on(&c->http);
    site_spool_go_on(c);
}

static void ask_cancel(struct report_call *call)
{
    struct site_call *c = call->inside;

    if (!c)
        return;
    call->inside = NULL;
    c->call = NULL;
    if (c != c->site->archive || !c->site->working)
        site_call_free(c);
}

static int64_t rate_remaining(const struct report_site *base)
{
    const struct site *site = CONTAINER_OF(base, struct site, base);
    struct pra_client_state state;

    pra_client_state(site->client, &state);
    return state.remaining;
}

const struct report_site_ops site_ops = {
    .listing = ask_listing,
    .sessions = ask_sessions,
    .team = ask_team,
    .vault = ask_vault,
    .syslog = ask_syslog,
    .page = ask_page,
    .info = ask_info,
    .attributes = ask_attributes,
    .pause = ask_pause,
    .resume = ask_resume,
    .cancel = ask_cancel,
    .rate_remaining = rate_remaining,
};
