/*
 * answers.h - what the site's answers say, and the readers that get it out of XML and JSON.
 *
 * A reader fills the struct of its kind while the answer comes. Only a complete, valid answer counts: the
 * client hands the struct on with PRA_OK alone, and empties it otherwise. All texts are clean
 * (pra_text_clean).
 */
#ifndef JG_BACKENDS_PRA_ANSWERS_H
#define JG_BACKENDS_PRA_ANSWERS_H

#include "backends/pra/pra.h"
#include "backends/pra/xml.h"
#include "base/buf.h"

#define PRA_PERMISSIONS_MAX 32
#define PRA_NAME_SIZE       64 /* of a permission */
#define PRA_WORD_SIZE       64 /* versions, ids, roles */

struct pra_permission {
    char name[PRA_NAME_SIZE];
    char value[16];
};

struct pra_info { /* get_api_info */
    char api_version[PRA_WORD_SIZE];
    bool has_time;
    int64_t time_ms; /* the site's clock */
    struct pra_permission permissions[PRA_PERMISSIONS_MAX];
    size_t npermissions;
};

struct pra_health { /* check_health of the Command API */
    char appliance_id[PRA_WORD_SIZE];
    char version[PRA_WORD_SIZE];
    bool has_success, success;
    char error_message[PRA_TEXT_SIZE];
    char failover_role[PRA_WORD_SIZE]; /* "" = not said */
    bool has_sync;
    int64_t last_sync_ms;
};

struct pra_lsid {
    unsigned char id[16];
};

struct pra_listing { /* closed sessions */
    struct pra_lsid *rows;
    size_t n, room;
    size_t skipped; /* rows without an lsid form */
};

struct pra_session { /* the session that was asked for */
    bool here;       /* while the answer is read: the row at hand is this session */
    bool ended;      /* it has an end time */
    int64_t ended_ms;
};

struct pra_jumpoint {
    char *name;
    bool enabled, connected;
};

struct pra_jumpoints { /* one page */
    struct pra_jumpoint *rows;
    size_t n;
    bool last; /* no page follows */
};

struct pra_answer { /* which member is in use, the kind of the call says */
    struct pra_info info;
    struct pra_health health;
    struct pra_listing listing;
    struct pra_session session;
    struct pra_jumpoints jumpoints;
    bool probe_healthy;
    bool terminated;
    const char *lsid;  /* of PRA_CALL_SESSION: 32 lower-case digits */
    struct buf page;   /* of PRA_CALL_PAGE: its JSON */
    int64_t last_page; /* what its header says, 0 = nothing */
};

void pra_answer_free(struct pra_answer *); /* what its parts hold; it is as new afterwards, but for lsid */

/* The readers of the XML answers, with a struct pra_answer as context. */
extern const struct pra_xml_reader pra_info_reader, pra_health_reader, pra_terminate_reader,
    pra_listing_reader, pra_session_reader;
/* The one of these for this kind of call; NULL for kinds that are no XML. */
const struct pra_xml_reader *pra_reader(enum pra_call_kind);

#define PRA_PAGE_ROWS 100 /* Jumpoints asked for at once */
/* `last_page` is the header's value, "" = absent. PRA_OK, PRA_NONSENSE or PRA_NO_MEMORY. */
enum pra_fault pra_read_jumpoints(struct pra_answer *, const struct buf *json, unsigned page,
                                  const char *last_page);
/* Is the body of a probe the one line of a site, and not a web page? */
bool pra_is_probe_line(const struct buf *body);

/* The `error` and `message` of a JSON object; "" = absent. False if the text is no JSON object. */
bool pra_read_json_error(const struct buf *json, char error[PRA_WORD_SIZE], char message[PRA_TEXT_SIZE]);

#endif
