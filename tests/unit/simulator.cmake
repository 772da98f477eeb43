# The simulator's model and dispatcher without a network, under a clock the test moves.
if(TARGET jg_sim)
  jg_test(test_sim_model SOURCES test_sim_model.c DEPENDS jg_sim jg_conf jg_base)
  jg_test(test_sim_protocol SOURCES test_sim_protocol.c DEPENDS jg_sim jg_conf jg_base)
endif()

# The simulated PRA site, in the same way.
if(TARGET jg_pra_sim)
  jg_test(test_pra_sim SOURCES test_pra_sim.c fake_clock.c DEPENDS jg_pra_sim jg_base)
endif()

# The simulated Privileged Identity, in the same way.
if(TARGET jg_pi_sim)
  jg_test(test_pi_sim SOURCES test_pi_sim.c fake_clock.c DEPENDS jg_pi_sim jg_base)
endif()
