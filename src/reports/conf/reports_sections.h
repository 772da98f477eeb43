/*
 * reports_sections.h - the sections of the configuration of session reports, its table, the types of its own,
 * and what a draft of it is held against.
 *
 * Not here: the machinery (conf/table), the rows (reports_rows.c).
 */
#ifndef JG_REPORTS_CONF_REPORTS_SECTIONS_H
#define JG_REPORTS_CONF_REPORTS_SECTIONS_H

#include "conf/table/conf_draft.h"
#include "reports/conf/reports_conf.h"

enum reports_section {
    REPORTS_MAIN,
    REPORTS_PRA,
    REPORTS_GATEWAY,
    REPORTS_DATABASE,
    REPORTS_WEB,
    REPORTS_USER,
    REPORTS_READER,
    REPORTS_NSECTIONS
};

extern const struct conf_table reports_table;
extern const struct conf_pages reports_pages; /* reports_pages.c */

/* reports_types.c */
extern const struct conf_type reports_zone, reports_hours, reports_host, reports_password, reports_origin;

/* reports_check.c: missing keys, contradictions. */
void reports_check(struct conf_draft *);
/* reports_files.c: existence, contents and permissions of the named files; none that is written is another.
 */
void reports_check_files(struct conf_draft *);

#endif
