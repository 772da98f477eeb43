/*
 * event_form.h - one outbound event of the PRA site: a form of fields, of which five are looked at.
 *
 * The other fields are neither decoded nor kept: a site adds what it likes. A field that is looked at may be
 * there once. Names of events have no letter case and two families (`support_conference_`,
 * `access_session_`); what stands behind the family decides.
 *
 * Life: event_form_read() -> the texts -> event_form_free(), also after a form that was refused.
 *
 * Not here: whether the sender may send it, and what an event does (pra_events.c).
 */
#ifndef JG_HANDLERS_EVENT_FORM_H
#define JG_HANDLERS_EVENT_FORM_H

#include "backends/pra/site.h"

#include <stdbool.h>
#include <stddef.h>

#define EVENT_FIELDS_MAX 200
#define EVENT_WHY_SIZE   160

enum event_field { EVENT_NAME, EVENT_LSID, EVENT_TIMESTAMP, EVENT_VERSION, EVENT_APPLIANCE, EVENT_NFIELDS };

struct event_form {
    char *text;                       /* decoded in place */
    const char *value[EVENT_NFIELDS]; /* NULL = absent */
    enum pra_event_kind kind;
    bool no_memory; /* the form was not read for want of memory: nothing is known of it */
};

/*
 * Reads a body of n bytes. `type` is its Content-Type, NULL = none was sent. False and in `why` what is wrong
 * with it, without a value of it; the kind is set as far as the name was readable.
 */
bool event_form_read(struct event_form *, const char *body, size_t n, const char *type,
                     char why[EVENT_WHY_SIZE]);
void event_form_free(struct event_form *);

#endif
