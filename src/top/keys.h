/*
 * keys.h - what a key does to the view: a function of both, without a terminal.
 */
#ifndef JG_TOP_KEYS_H
#define JG_TOP_KEYS_H

#include "top/view.h"

#include <stdint.h>

/* Keys that are no letters; letters are their own code point. */
enum key {
    KEY_NONE_ = 0,
    KEY_ENTER_ = '\n',
    KEY_ESCAPE_ = 0x1b,
    KEY_BACK_ = 0x7f,
    KEY_UP_ = 0x110000, /* beyond Unicode */
    KEY_DOWN_,
    KEY_PAGE_UP_,
    KEY_PAGE_DOWN_,
    KEY_HOME_,
    KEY_END_
};

enum action {
    ACTION_NONE,
    ACTION_QUIT,
    ACTION_RELEASE, /* the lease of keys.release_id: the question was answered with yes */
    ACTION_TIMING   /* paused or interval_s of the view has changed */
};

struct keys {
    char release_id[SELECTED_SIZE]; /* of the lease that the question names */
};

#define INTERVAL_MIN_S 0.2
#define INTERVAL_MAX_S 3600.0

/* Applies the key. Afterwards the view is to be drawn again. */
enum action key_press(struct keys *, struct view *, uint32_t key);

#endif
