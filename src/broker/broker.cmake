# The deciding half of the broker; the reading half is lists.cmake.
set(broker_sources
    broker.c checkin.c checkout.c checkout_account.c checkout_fetch.c checkout_request.c checkout_turn.c
    endpoints.c find.c intent.c lease.c loan.c op.c reason.c release.c session.c table.c username.c)
jg_room(jg_broker SOURCES ${broker_sources} DEPENDS jg_lists jg_backends jg_base)
