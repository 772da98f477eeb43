/*
 * checklist.h - what is not publicly known of Privileged Identity and has to be found out at the site: one
 * item for each, what was seen of it, and the key that then fits.
 */
#ifndef JG_COMMANDS_DOCTOR_CHECKLIST_H
#define JG_COMMANDS_DOCTOR_CHECKLIST_H

#include "base/buf.h"
#include "base/jsonw.h"

#include <stddef.h>

enum checklist_item {
    CHECK_TOKEN,
    CHECK_REFUSALS,
    CHECK_TOKEN_LIFE,
    CHECK_DEAD_TOKEN,
    CHECK_SHARED,
    CHECK_STORED,
    CHECK_CHECKIN,
    CHECK_REPEAT,
    CHECK_CHECKINS,
    CHECK_ABSENT_CHECKIN,
    CHECK_CONFLICT,
    CHECK_FOREIGN_CHECKIN,
    CHECK_LIFE,
    CHECK_CHECKIN_PASSWORD,
    CHECK_SPIN,
    CHECK_APPROVAL,
    CHECK_IMPERSONATION,
    CHECK_LIMITS,
    CHECKLIST_N
};

enum checklist_state { CHECK_OPEN, CHECK_BY_HAND, CHECK_VERIFIED, CHECK_REFUTED };

struct checklist {
    struct {
        enum checklist_state state;
        char seen[400], set[200];
    } item[CHECKLIST_N];
};

void checklist_init(struct checklist *);
/* What was seen of an item. `set`: the key that then fits; NULL = none. The last word counts. */
void checklist_note(struct checklist *, enum checklist_item, enum checklist_state, const char *set,
                    const char *fmt, ...) __attribute__((format(printf, 5, 6)));
size_t checklist_count(const struct checklist *, enum checklist_state);
void checklist_print(const struct checklist *, struct buf *);
void checklist_json(const struct checklist *, struct jsonw *); /* the member `checklist` */

#endif
