/*
 * feed_ocsf.h - what both files of the feed's OCSF share: an event that is being written.
 *
 * OCSF 1.3.0 (schema.ocsf.io). feed_ocsf.c has what all classes share and which class a record is of,
 * feed_ocsf_classes.c the attributes of each class.
 */
#ifndef JG_REPORTS_QUERY_FEED_OCSF_H
#define JG_REPORTS_QUERY_FEED_OCSF_H

#include "base/jsonw.h"
#include "reports/query/feed_internal.h"

#define OCSF_TEXT 1200 /* bytes of a text that is looked at or put together: 256 letters, with room */

enum ocsf_class {
    OCSF_BASE_EVENT,
    OCSF_NETWORK_ACTIVITY,
    OCSF_AUTHENTICATION,
    OCSF_ENTITY_MANAGEMENT,
    OCSF_USER_INVENTORY,
    OCSF_NCLASSES
};

enum ocsf_severity { SEVERITY_INFORMATIONAL = 1, SEVERITY_LOW, SEVERITY_MEDIUM };
enum ocsf_status { STATUS_NONE = -1, STATUS_SUCCESS = 1, STATUS_FAILURE };

struct ocsf {
    const struct feed_batch *batch;
    const struct feed_record *record;
    struct jsonw w;
    /* Of the record, by its dataset: */
    enum ocsf_class class;
    int activity;
    const char *activity_name;
    enum ocsf_severity severity;
    enum ocsf_status status;
    int64_t time;            /* Unix seconds */
    char uid[2 * OCSF_TEXT]; /* of this revision of the record */
    char event[OCSF_TEXT];   /* the site's word for what happened; "" */
};

/* Attributes of the class, behind those that all share. */
void ocsf_network_activity(struct ocsf *);
void ocsf_authentication(struct ocsf *);
void ocsf_entity_management(struct ocsf *);
void ocsf_user_inventory(struct ocsf *);

/* ---- columns of the record ---- */

int64_t ocsf_number(const struct ocsf *, const char *column); /* QUERY_NONE where it is null */
const char *ocsf_get(const struct ocsf *, const char *column,
                     char out[OCSF_TEXT]); /* NULL where it is null */
/* Writes attributes where there is something to write. Times are in milliseconds. */
void ocsf_put(struct ocsf *, const char *name, const char *text);
void ocsf_put_time(struct ocsf *, const char *name, int64_t seconds);

#endif
