/* SPDX-License-Identifier: Apache-2.0 */
/*
 * operator_trail.c - see operator_trail.h. Nothing here makes a trail: run as root it would leave a file that
 * the gateway's user cannot open.
 */
#include "commands/operator_trail.h"

#include "base/container_of.h"
#include "commands/run/audit.h"

#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

#define RECORDS 16 /* what the trail says about itself, too */

struct recording {
    struct run_audit audit;
    struct audit_wait wait;
    struct loop *loop;
    bool waits, closed;
    int err;
};

bool operator_trail_is_there(const struct conf *conf, char why[320])
{
    char head[4096];

    (void)snprintf(head, sizeof(head), "%s/audit.head", conf->gateway.state_dir);
    if (access(conf->gateway.audit_file, F_OK) == 0 && access(head, F_OK) == 0)
        return true;
    (void)snprintf(why, 320, "there is no audit trail %.200s yet", conf->gateway.audit_file);
    return false;
}

static void on_written(struct audit_wait *wait, int err)
{
    struct recording *r = CONTAINER_OF(wait, struct recording, wait);

    r->err = err;
    r->waits = false;
    loop_stop(r->loop);
}

static void on_closed(void *arg)
{
    struct recording *r = arg;

    r->closed = true;
    loop_stop(r->loop);
}

static bool write_record(struct recording *r, const char *event, const struct operator_word *words)
{
    const struct passwd *who = getpwuid(getuid());
    struct audit_note n;

    audit_note(&n, r->audit.audit, event);
    audit_text(&n, "client", "offline");
    audit_count(&n, "peer_uid", (int64_t)getuid());
    audit_text(&n, "peer_user", who ? who->pw_name : NULL);
    for (; words->name; words++)
        audit_text(&n, words->name, words->value);
    r->wait.done = on_written;
    r->waits = audit_write_await(&n, &r->wait) == AUDIT_WAIT;
    if (!r->waits)
        return false;
    while (r->waits)
        (void)loop_run(r->loop);
    return r->err == 0;
}

static bool record(struct recording *r, const struct conf *conf, const char *event,
                   const struct operator_word *words, char why[320])
{
    bool written = run_audit_attach(&r->audit, r->loop, conf, RECORDS, why);

    if (written)
        written = write_record(r, event, words);
    if (written)
        why[0] = '\0';
    audit_free(r->audit.audit);
    if (r->audit.writer) {
        run_audit_close(&r->audit, on_closed, r);
        while (!r->closed)
            (void)loop_run(r->loop);
    }
    return written;
}

bool operator_trail_record(struct loop *loop, const struct conf *conf, const char *event,
                           const struct operator_word *words)
{
    struct recording r = {.loop = loop};
    char why[320] = "it cannot be written";

    if (operator_trail_is_there(conf, why) && record(&r, conf, event, words, why))
        return true;
    fprintf(stderr, "jumpgate: this is not in the audit trail: %s\n", why);
    return false;
}
