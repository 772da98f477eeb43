/*
 * month_xml.h - made-up sessions as XML: one <session> of AccessSession with all its events.
 */
#ifndef PRA_SIM_MONTH_XML_H
#define PRA_SIM_MONTH_XML_H

#include "pra-sim/dispatch.h"

void month_put_session(struct dispatch *, struct xml *, const struct month_session *);
/* `custom_attribute` elements of a session. */
void month_put_attributes(struct xml *, const struct month_session *);

#endif
