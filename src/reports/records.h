/*
 * records.h - what PRA sites report, as plain records: sessions with their people and events, activity of
 * teams and of the site's vault, lines of the appliance's syslog, rows of the inventory.
 *
 * pra/ reads them from answers, collect/ decides about them, store/ writes them. A record is filled whole,
 * handed on, and freed as one: every text and array of it is in the arena of the batch it came with
 * (struct record_arena). Nothing here knows XML or SQL.
 *
 * Texts are valid UTF-8 without NUL; NULL = the site did not say. Times are Unix seconds by the site's clock;
 * RECORD_NONE = absent. lsid and host names are in lower case.
 */
#ifndef JG_REPORTS_RECORDS_H
#define JG_REPORTS_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECORD_NONE INT64_MIN /* a number that the site did not give */

/* Memory of one or more records: allocated piece by piece, freed at once. Zeroed before its first use. */
struct record_chunk;
struct record_arena {
    struct record_chunk *chunks;
    size_t used;  /* bytes handed out */
    size_t limit; /* 0 = none; beyond it record_alloc() returns NULL */
};
void *record_alloc(struct record_arena *, size_t bytes); /* zeroed, aligned; NULL when out of memory */
/* A copy of n bytes as a text; NULL when out of memory. */
const char *record_text(struct record_arena *, const char *bytes, size_t n);
/* An array that grows: room for one more element behind n (of `size` bytes each); moves *array when it must.
 * The new element, zeroed, or NULL. */
void *record_append(struct record_arena *, void *array, size_t *n, size_t *room, size_t size);
void record_arena_free(struct record_arena *); /* everything; it is as new afterwards */

struct record_pair { /* <value name= value=> */
    const char *name, *value;
};

struct record_info { /* one field of a category of system_information */
    const char *category, *field, *value;
    int64_t row; /* of a table within the category, from 0; -1 = its description */
};

struct record_event {
    int64_t timestamp;
    const char *type;
    const char *performed_by, *performed_by_type;
    int64_t performed_by_gsnumber;
    const char *destination, *destination_type;
    int64_t destination_gsnumber;
    const char *body; /* encoded_body decoded */
    const char *filename;
    int64_t filesize;
    struct record_pair *data; /* files/file N as file.N.filename and file.N.filesize too */
    size_t ndata, data_room;
    struct record_info *info;
    size_t ninfo, info_room;
};

struct record_person { /* a representative or, with the first part alone, a customer */
    int64_t gsnumber;
    const char *username, *public_ip, *private_ip, *hostname, *os;
    int64_t rep_id;
    const char *display_name, *public_display_name, *private_display_name;
    int64_t seconds_involved;
    bool session_owner, invited;
};

struct record_attribute { /* a custom attribute */
    const char *display_name, *code_name, *value;
};

struct record_shell { /* a command shell recording */
    int64_t instance;
    const char *view_url, *download_url;
};

/* One <session> of an AccessSession report. */
struct record_session {
    const char *lsid, *type;
    int64_t lseq, start, end; /* end: RECORD_NONE while it runs, or when it was closed abnormally */
    const char *duration;     /* the site's text */
    int64_t jumpoint_id;      /* RECORD_NONE without a jumpoint element */
    const char *jumpoint_name;
    int64_t jump_group_id;
    const char *jump_group_name, *jump_group_type; /* "shared", "personal" */
    const char *external_key;
    const char *primary_customer, *primary_rep;
    int64_t primary_customer_gsnumber, primary_rep_gsnumber;
    int64_t file_transfers, file_moves, file_deletes;
    const char *chat_view_url, *chat_download_url, *recording_view_url, *recording_download_url;
    struct record_attribute *attributes;
    size_t nattributes, attributes_room;
    struct record_person *customers, *representatives;
    size_t ncustomers, customers_room, nrepresentatives, representatives_room;
    struct record_event *events; /* in the report's order */
    size_t nevents, events_room;
    struct record_shell *shells;
    size_t nshells, shells_room;
    uint64_t texts_cut; /* texts longer than the limit, of which the rest was left out */
};

struct record_listed { /* one row of AccessSessionListing */
    const char *lsid;
    bool has_recording;
};

struct record_team { /* one event of one <team_activity> */
    int64_t team_id, timestamp;
    const char *name, *type, *performed_by;
    struct record_pair *data;
    size_t ndata, data_room;
};

struct record_vault_activity {
    int64_t timestamp;
    const char *event_type, *account_id, *performed_by, *performed_by_type;
    const char *data; /* all of it, as the site wrote it; an lsid where the event is a use */
};

struct record_syslog { /* one message, its segments joined and its payload split */
    int64_t timestamp;
    const char *appliance, *event, *target, *status, *who, *who_ip;
    struct record_pair *data; /* every key of the payload, unescaped */
    size_t ndata, data_room;
    const char *line; /* joined, as it was written: what the digest is made of */
    uint64_t ordinal; /* among equal lines of the archive, from 0 */
};

/* Rows of the Configuration API. */
struct record_vault_account {
    int64_t account_id;
    const char *type, *name, *username, *description;
    int64_t account_group_id;
    const char *account_policy;
    int64_t endpoint_id, last_checkout;
};

struct record_jump_item {
    const char *type; /* "remote-rdp", "shell-jump", …: the last part of the route; "jump-client" */
    int64_t item_id;
    const char *name, *hostname;
    int64_t jump_group_id;
    const char *jump_group_type;
    int64_t jumpoint_id;
    const char *tag;
};

struct record_jumpoint {
    int64_t jumpoint_id;
    const char *name, *platform;
    bool connected, enabled, clustered;
    const char *network_id;
};

struct record_jump_group {
    int64_t group_id;
    const char *name, *code_name;
};

#endif
