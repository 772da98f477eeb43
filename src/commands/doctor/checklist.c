/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checklist.c - the items of the checklist; see checklist.h. docs/privileged-identity.md has them with the
 * way to find out what the probe cannot.
 */
#include "commands/doctor/checklist.h"

#include "base/text.h"
#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *id, *question;
    bool by_hand; /* the probe does not look at it */
} items[CHECKLIST_N] = {
    [CHECK_TOKEN] = {"PI-01", "token: its place in the answer, its shape, the flag beside it", false},
    [CHECK_REFUSALS] = {"PI-02", "answers to a wrong password, a locked identity, a second factor", true},
    [CHECK_TOKEN_LIFE] = {"PI-03", "life and idle life of a token; several tokens of one identity", true},
    [CHECK_DEAD_TOKEN] = {"PI-04", "answer to a call with a dead token", false},
    [CHECK_SHARED] = {"PI-05", "check-out of a shared credential", false},
    [CHECK_STORED] = {"PI-06", "check-out of a stored credential, its Type, the form of its account", false},
    [CHECK_CHECKIN] = {"PI-07", "check-in: its path, its answer", false},
    [CHECK_REPEAT] = {"PI-08", "a second check-out by the same identity", false},
    [CHECK_CHECKINS] = {"PI-09", "how many check-ins two check-outs need", false},
    [CHECK_ABSENT_CHECKIN] = {"PI-10", "check-in of what is not checked out", false},
    [CHECK_CONFLICT] = {"PI-11", "another holder has it: form and words; are check-outs ignored", true},
    [CHECK_FOREIGN_CHECKIN] = {"PI-12", "may the identity check in a person's check-out", true},
    [CHECK_LIFE] = {"PI-13", "the vault's own end of a check-out", true},
    [CHECK_CHECKIN_PASSWORD] = {"PI-14", "does a check-in change the password", true},
    [CHECK_SPIN] = {"PI-15", "spin: operation, body, a target that cannot be reached", true},
    [CHECK_APPROVAL] = {"PI-16", "accounts that must be requested first", true},
    [CHECK_IMPERSONATION] = {"PI-17", "impersonation, and a listing for one user", true},
    [CHECK_LIMITS] = {"PI-18", "limits: rate, body, Comment", true},
};

static const char *const words[] = {[CHECK_OPEN] = "open",
                                    [CHECK_BY_HAND] = "by hand",
                                    [CHECK_VERIFIED] = "verified",
                                    [CHECK_REFUTED] = "refuted"};

void checklist_init(struct checklist *list)
{
    *list = (struct checklist){0};
    for (size_t i = 0; i < CHECKLIST_N; i++)
        list->item[i].state = items[i].by_hand ? CHECK_BY_HAND : CHECK_OPEN;
}

void checklist_note(struct checklist *list, enum checklist_item item, enum checklist_state state,
                    const char *set, const char *fmt, ...)
{
    struct buf raw = BUF_INIT(4096), shown = BUF_INIT(16384);
    va_list ap;

    va_start(ap, fmt);
    (void)buf_vprintf(&raw, fmt, ap);
    va_end(ap);
    if (raw.len)
        utf8_visible(&shown, raw.data, raw.len);
    list->item[item].state = state;
    (void)text_copy_n(list->item[item].seen, sizeof(list->item[item].seen), shown.len ? shown.data : "",
                      shown.len);
    (void)snprintf(list->item[item].set, sizeof(list->item[item].set), "%s", set ? set : "");
    buf_free(&raw);
    buf_free(&shown);
}

size_t checklist_count(const struct checklist *list, enum checklist_state state)
{
    size_t n = 0;

    for (size_t i = 0; i < CHECKLIST_N; i++)
        n += list->item[i].state == state;
    return n;
}

void checklist_print(const struct checklist *list, struct buf *out)
{
    (void)buf_str(out, "\nChecklist\n");
    for (size_t i = 0; i < CHECKLIST_N; i++) {
        (void)buf_printf(out, "%-8s %s  %s\n",
                         list->item[i].state == CHECK_REFUTED ? "REFUTED" : words[list->item[i].state],
                         items[i].id, items[i].question);
        if (*list->item[i].seen)
            (void)buf_printf(out, "%17s%s\n", "seen: ", list->item[i].seen);
        if (*list->item[i].set)
            (void)buf_printf(out, "%17s%s\n", "set: ", list->item[i].set);
    }
}

void checklist_json(const struct checklist *list, struct jsonw *w)
{
    jsonw_array(w, "checklist");
    for (size_t i = 0; i < CHECKLIST_N; i++) {
        jsonw_object(w, NULL);
        jsonw_str(w, "id", items[i].id);
        jsonw_str(w, "question", items[i].question);
        jsonw_str(w, "state", words[list->item[i].state]);
        jsonw_str(w, "seen", *list->item[i].seen ? list->item[i].seen : NULL);
        jsonw_str(w, "set", *list->item[i].set ? list->item[i].set : NULL);
        jsonw_end(w);
    }
    jsonw_end(w);
}
