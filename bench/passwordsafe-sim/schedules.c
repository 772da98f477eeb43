/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schedules.c - choosing a schedule; see schedules.h.
 */
#include "passwordsafe-sim/schedules.h"

#define DAY_MINUTES 1440

bool schedule_open(const struct model *m, const struct model_schedule *s, int64_t minutes)
{
    int64_t now = model_wall(m) / 60000 % DAY_MINUTES;

    if (s->open_from == 0 && s->open_to >= DAY_MINUTES)
        return true;
    return now >= s->open_from && now < s->open_to && now + minutes <= s->open_to;
}

static bool better(const struct model_schedule *a, const struct model_schedule *b, enum model_access access)
{
    return !b || a->offer[access].min_approvers < b->offer[access].min_approvers;
}

const struct model_schedule *schedule_choose(const struct model *m, const struct model_policy *p, int id,
                                             enum model_access access, int64_t minutes)
{
    const struct model_schedule *best = NULL;

    for (size_t i = 0; i < p->nschedules; i++) {
        const struct model_schedule *s = &p->schedules[i];
        if ((id && s->id != id) || !s->offer[access].offered || !schedule_open(m, s, minutes))
            continue;
        if (better(s, best, access))
            best = s;
    }
    return best;
}

const struct model_schedule *schedule_offering(const struct model_policy *p, int id, enum model_access access)
{
    const struct model_schedule *best = NULL;

    for (size_t i = 0; i < p->nschedules; i++) {
        const struct model_schedule *s = &p->schedules[i];
        if ((!id || s->id == id) && s->offer[access].offered && better(s, best, access))
            best = s;
    }
    return best;
}

void schedule_default(struct model_policy *p, int id)
{
    struct model_schedule *s = &p->schedules[0];

    *s = (struct model_schedule){.id = id, .open_to = DAY_MINUTES};
    for (int i = 0; i < ACCESS_NTYPES; i++)
        s->offer[i].offered = true;
    p->nschedules = 1;
}
