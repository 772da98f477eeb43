/* SPDX-License-Identifier: Apache-2.0 */
/*
 * site_words.c - the words for states, sources, events and outcomes of a site, as pages and metrics show
 * them.
 */
#include "backends/pra/site.h"

static const char *const state_names[PRA_NSTATES] = {
    [PRA_STATE_UNKNOWN] = "unknown", [PRA_STATE_UP] = "up",           [PRA_STATE_DEGRADED] = "degraded",
    [PRA_STATE_STANDBY] = "standby", [PRA_STATE_REFUSED] = "refused", [PRA_STATE_DOWN] = "down",
};

const char *pra_state_name(enum pra_state state)
{
    return state_names[state];
}

const char *pra_source_name(enum pra_end_source source)
{
    static const char *const names[PRA_NSOURCES] = {"poll", "event", "terminate"};

    return names[source];
}

const char *pra_event_name(enum pra_event_kind kind)
{
    static const char *const names[PRA_NEVENTS] = {"begin", "end", "other", "none"};

    return names[kind];
}

const char *pra_event_outcome_name(enum pra_event_outcome outcome)
{
    static const char *const names[PRA_NEVENT_OUTCOMES] = {"accepted", "ignored", "malformed", "refused",
                                                           "unavailable"};

    return names[outcome];
}

static const char *const outcome_names[PRA_NTERMINATIONS] = {
    [PRA_TERMINATE_DONE] = "terminated", [PRA_TERMINATE_ALREADY_ENDED] = "already_ended",
    [PRA_TERMINATE_ERROR] = "error",     [PRA_TERMINATE_REFUSED] = "refused",
    [PRA_TERMINATE_LOST] = "lost",       [PRA_TERMINATE_UNAVAILABLE] = "unavailable",
};

const char *pra_termination_name(enum pra_termination_outcome outcome)
{
    return outcome_names[outcome];
}
