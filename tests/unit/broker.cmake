set(broker_fakes fake_clock.c fake_vault.c fake_store.c fake_store_shared.c broker_rig.c)
foreach(name lease checkout checkout_torture checkout_direct_access release session_ended broker_random journal restore reconcile
        restore_many request_identity gateways)
  jg_test(test_${name} SOURCES test_${name}.c ${broker_fakes} DEPENDS jg_broker)
endforeach()
jg_test(test_session_ended_memory SOURCES test_session_ended_memory.c ${broker_fakes} DEPENDS jg_broker)
target_link_options(test_session_ended_memory PRIVATE -Wl,--wrap=malloc,--wrap=calloc)
