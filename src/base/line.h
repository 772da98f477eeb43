/*
 * line.h - who is next, where calls of several kinds wait for the same few places.
 *
 *   LINE_BEGUN       finish what was begun: whoever has waited once does not wait again, and work that has been
 *                    paid for is not thrown away
 *   LINE_FIRST       begin something for a person: the parties take turns (base/turns.h)
 *   LINE_RETURN      give back what is held: behind people, but one in LINE_RETURN_EVERY while any waits, for
 *                    each check-out must be given back once, and under lasting load nothing else ends them
 *   LINE_BACKGROUND  nobody waits for it: one in LINE_BACKGROUND_EVERY, so that it is late and not lost
 *
 * The line also keeps the pace of LINE_FIRST (base/pace.h), from which the wait of the next one is foretold.
 * Items live inside the objects of their owner; nothing is allocated here.
 */
#ifndef JG_BASE_LINE_H
#define JG_BASE_LINE_H

#include "base/clock.h"
#include "base/pace.h"
#include "base/turns.h"

#define LINE_RETURN_EVERY     3
#define LINE_BACKGROUND_EVERY 16

enum line_class { LINE_BEGUN, LINE_FIRST, LINE_RETURN, LINE_BACKGROUND, LINE_NCLASSES };

struct line_item {
    struct turn_item turn; /* first */
    enum line_class class;
};

struct line {
    const struct clock *clock;
    struct turns first;
    struct turn_items others[LINE_NCLASSES]; /* that of LINE_FIRST is not used */
    size_t n[LINE_NCLASSES];
    struct turn_party nobody; /* for items without a party */
    struct pace pace;
    unsigned taken;
};

static inline enum line_class line_class_of(bool begun, bool background)
{
    return background ? begun ? LINE_RETURN : LINE_BACKGROUND : begun ? LINE_BEGUN : LINE_FIRST;
}

void line_init(struct line *, const struct clock *);
/* `party` may be NULL; `front`: before the others of its class. */
void line_add(struct line *, struct line_item *, enum line_class, struct turn_party *party, bool front);
void line_remove(struct line *, struct line_item *); /* it must be in this line */
struct line_item *line_take(struct line *);          /* NULL = nobody is in line */
struct line_item *line_peek(const struct line *);    /* whom line_take() would take */
size_t line_count(const struct line *);
/* How long a LINE_FIRST of this party (as in line_add) would wait; 0 = nobody is before it. See pace_wait_ms(). */
uint64_t line_wait_ms(const struct line *, const struct turn_party *party, double usual_ms);

#endif
