/*
 * directory.h - the systems of a vault, read by a service identity for all users: the system index.
 *
 * Systems, platforms and workgroups are read as `directory_user` and joined into one system entry per system.
 * The index is read when it is first asked for, read again in the background when it is older than
 * catalogue_cache, and kept while reading fails, up to catalogue_max_age. It only describes systems: the
 * user's own lists say which of them the user may reach.
 *
 * Without directory_user, or where the kind of vault has no directory, there is no index and no waiting.
 */
#ifndef JG_BROKER_CATALOGUE_DIRECTORY_H
#define JG_BROKER_CATALOGUE_DIRECTORY_H

#include "base/timers.h"
#include "broker/catalogue/system_entry.h"

struct directory;

struct directory_opts {
    struct timers *timers;
    struct vault *vault;
    uint64_t fresh_ms, max_age_ms;
};

/* System entries of all systems, by id; never changed after it was made. */
struct system_index {
    size_t n;
    struct system_entry **entry;
};

struct directory_wait {
    void (*done)(struct directory_wait *); /* there is an index now, or there is none for the time being */
    /* private */
    struct directory *directory;
    struct directory_wait *next, *prev;
};

struct directory *directory_new(const struct directory_opts *); /* NULL = out of memory */
void directory_reload(struct directory *, uint64_t fresh_ms, uint64_t max_age_ms);
void directory_free(struct directory *); /* waiters are not called; NULL is fine */

/*
 * True = the index is what it can be now, and done() will not be called; a background reading may have begun.
 * False = done() is called once, later.
 */
bool directory_ready(struct directory *, struct directory_wait *);
/* An index would be of use: begins a background reading if it is time for one. */
void directory_want(struct directory *);
void directory_leave(struct directory_wait *); /* may be called any number of times */
/* NULL = there is none. Valid until the next iteration of the loop; a caller keeps system entries instead. */
struct system_index *directory_index(struct directory *);

void system_index_free(struct system_index *); /* NULL is fine */
/* NULL when the index (which may be NULL) does not know the system. */
struct system_entry *system_index_entry(const struct system_index *, int64_t system_id);

/* The method the configuration gives to a platform, METHOD_NONE if none; the name may be NULL. */
enum jump_method directory_platform_method(const struct conf_vault *, int64_t platform_id, const char *name,
                                           const char *short_name);

#endif
