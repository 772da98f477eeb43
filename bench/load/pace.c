/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pace.c - the open loop: turns begin at a fixed rate, whether or not earlier ones are answered.
 *
 * Turn number n is meant to begin n / rate seconds after the start; its latency counts from then, also when
 * no client was free to begin it. So a stall of the gateway is seen by every turn that fell into it, and not
 * by the one request alone that a closed loop would have had open (coordinated omission).
 *
 * A tick each millisecond begins what is due. Nothing is queued: what is due is known from the clock.
 */
#include "base/clock.h"
#include "load/client.h"

static uint64_t meant_at(const struct load *l, uint64_t turn)
{
    return l->first_turn_us + (uint64_t)((double)turn * 1e6 / l->rate);
}

static bool is_due(const struct load *l)
{
    return !l->stopping && meant_at(l, l->turns) <= clock_measure_us();
}

static void set_meant_time(struct client *c)
{
    c->meant_us = meant_at(c->load, c->load->turns);
}

static void on_tick(uv_timer_t *timer)
{
    struct load *l = timer->data;
    struct client *c;

    while ((c = TAILQ_FIRST(&l->idle)) && is_due(l)) {
        pace_forget(c);
        set_meant_time(c);
        client_begin(c);
    }
}

int pace_start(struct load *l)
{
    l->first_turn_us = clock_measure_us();
    l->tick.data = l;
    int err = uv_timer_init(&l->loop, &l->tick);
    return err ? err : uv_timer_start(&l->tick, on_tick, 1, 1);
}

void pace_stop(struct load *l)
{
    struct client *c;

    uv_close((uv_handle_t *)&l->tick, NULL);
    while ((c = TAILQ_FIRST(&l->idle))) {
        pace_forget(c);
        client_begin(c); /* finds that the run is over */
    }
}

bool pace_turn(struct client *c)
{
    if (is_due(c->load)) {
        set_meant_time(c);
        return true;
    }
    TAILQ_INSERT_TAIL(&c->load->idle, c, idle_link);
    c->idle = true;
    return false;
}

void pace_forget(struct client *c)
{
    if (c->idle)
        TAILQ_REMOVE(&c->load->idle, c, idle_link);
    c->idle = false;
}
