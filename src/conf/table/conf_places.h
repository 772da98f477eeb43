/*
 * conf_places.h - no file that a program writes may be another file of its: the log would be appended to a
 * secret, the audit trail to a database, a socket would take the place of another.
 *
 * Two names are one file where they are spelled alike, where both lead to one inode, and where they are one
 * name in one directory, since a file that is missing now is made later.
 *
 * Not here: which files a program has (its own checks).
 */
#ifndef JG_CONF_TABLE_CONF_PLACES_H
#define JG_CONF_TABLE_CONF_PLACES_H

#include "conf/table/conf_draft.h"

enum conf_place_kind { PLACE_READ, PLACE_WRITTEN, PLACE_SOCKET };

struct conf_place {
    char *path;
    const char *key; /* of the configuration; NULL = a file that has no key */
    const char *what;
    unsigned line;
    enum conf_place_kind kind;
};

struct conf_places {
    struct conf_place *list;
    size_t n;
};

/* The file of a key; NULL and "" are none. */
void conf_places_key(struct conf_draft *, struct conf_places *, const struct conf_part *, const char *key,
                     const char *path, enum conf_place_kind);
/* A file without a key: `name` in the directory, or with the name "" the path itself. */
void conf_places_file(struct conf_draft *, struct conf_places *, const char *dir, const char *name,
                      const char *what);
/* Every file that the keys of a section name for reading. */
void conf_places_part(struct conf_draft *, struct conf_places *, const struct conf_part *);
/* Says which are the same, and empties the list. */
void conf_places_judge(struct conf_draft *, struct conf_places *);

#endif
