# Privileged Identity, as far as it is there without the vault.
set(pi_deps jg_pi_tables jg_conf jg_base)
jg_test(test_pi_profile SOURCES test_pi_profile.c conf_fixture.c DEPENDS ${pi_deps})
jg_test(test_pi_answers SOURCES test_pi_answers.c conf_fixture.c DEPENDS ${pi_deps})
jg_test(test_pi_access SOURCES test_pi_access.c conf_fixture.c DEPENDS ${pi_deps})
jg_test(test_pi_check SOURCES test_pi_check.c conf_fixture.c DEPENDS ${pi_deps})
jg_test(test_pi_memory SOURCES test_pi_memory.c conf_fixture.c DEPENDS ${pi_deps})
target_link_options(test_pi_memory PRIVATE
  -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=reallocarray,--wrap=strdup,--wrap=strndup,--wrap=secret_alloc)

# The vault against a scripted loop/upstream, as that of Password Safe.
set(pi_rig pi_rig.c vault_rig.c fake_clock.c)
jg_test(test_pi_token SOURCES test_pi_token.c ${pi_rig} DEPENDS jg_privileged_identity jg_conf jg_base)
jg_test(test_pi_calls SOURCES test_pi_calls.c ${pi_rig} DEPENDS jg_privileged_identity jg_conf jg_base)
jg_test(test_pi_entitled SOURCES test_pi_entitled.c ${pi_rig} DEPENDS jg_privileged_identity jg_conf jg_base)

# The same on the real loop against the simulator.
if(TARGET pi-sim)
  jg_test(test_pi_live SOURCES test_pi_live.c live_sim.c DEPENDS jg_privileged_identity jg_loop jg_audit jg_conf jg_base)
  target_compile_definitions(test_pi_live PRIVATE SIMULATOR="$<TARGET_FILE:pi-sim>")
  add_dependencies(test_pi_live pi-sim)
endif()

# The contract of a vault, asked of the fake one and of both backends against their simulators.
set(contract_deps jg_privileged_identity jg_backends jg_loop jg_audit jg_conf jg_base)
if(TARGET pi-sim AND TARGET passwordsafe-sim)
  jg_test(test_vault_contract DEPENDS ${contract_deps} SOURCES test_vault_contract.c vault_contract.c vault_stand_live.c
    vault_stand_ps.c vault_stand_pi.c live_sim.c fake_vault.c fake_clock.c)
  foreach(target test_vault_contract fixture_tests_unit_vault_stand_ps_c fixture_tests_unit_vault_stand_pi_c)
    target_compile_definitions(${target} PRIVATE PASSWORDSAFE_SIM="$<TARGET_FILE:passwordsafe-sim>" PI_SIM="$<TARGET_FILE:pi-sim>")
  endforeach()
  add_dependencies(test_vault_contract pi-sim passwordsafe-sim)
else()
  jg_test(test_vault_contract DEPENDS ${contract_deps} SOURCES test_vault_contract.c vault_contract.c fake_vault.c fake_clock.c)
endif()
target_link_options(test_vault_contract PRIVATE
  -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=reallocarray,--wrap=strdup,--wrap=strndup)
