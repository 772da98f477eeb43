set(broker_fakes fake_clock.c fake_vault.c broker_world.c)
foreach(name lease checkout release broker_sim)
  jg_test(test_${name} SOURCES test_${name}.c ${broker_fakes} DEPENDS jg_broker)
endforeach()
