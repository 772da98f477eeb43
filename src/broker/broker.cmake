# The deciding half of the broker; the reading half is lists.cmake.
# What is written into the audit trail; the handlers use it as well.
jg_room(jg_audit SOURCES audit.c DEPENDS jg_base)
set(broker_sources
    audit_leases.c broker.c checkin.c checkout.c checkout_account.c checkout_audit.c checkout_fetch.c
    checkout_isa.c checkout_request.c checkout_store.c checkout_turn.c endpoints.c find.c intent.c journal.c lane.c lease.c
    lease_row.c loan.c lost.c op.c reason.c reconcile.c registry.c release.c renew.c restore.c session.c skew.c
    table.c told.c username.c views.c)
jg_room(jg_broker SOURCES ${broker_sources} DEPENDS jg_audit jg_lists jg_backends jg_base)
