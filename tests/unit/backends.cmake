# The Password Safe backend against a scripted loop/upstream: the rig stands in for jg_loop at link time.
jg_test(test_ps_signin SOURCES test_ps_signin.c ps_rig.c vault_rig.c fake_clock.c DEPENDS jg_backends jg_conf jg_base)
jg_test(test_ps_sessions SOURCES test_ps_sessions.c ps_rig.c vault_rig.c fake_clock.c DEPENDS jg_backends jg_conf jg_base)
jg_test(test_ps_calls SOURCES test_ps_calls.c ps_rig.c vault_rig.c fake_clock.c DEPENDS jg_backends jg_conf jg_base)
jg_test(test_ps_reachability SOURCES test_ps_reachability.c ps_rig.c vault_rig.c fake_clock.c DEPENDS jg_backends jg_conf jg_base)
target_link_options(test_ps_reachability PRIVATE -Wl,--wrap=timer_start)
jg_test(test_ps_admission SOURCES test_ps_admission.c ps_rig.c vault_rig.c fake_clock.c DEPENDS jg_backends jg_conf jg_base)
jg_test(test_ps_answers SOURCES test_ps_answers.c ps_rig.c vault_rig.c fake_clock.c DEPENDS jg_backends jg_conf jg_base)
target_link_options(test_ps_answers PRIVATE -Wl,--wrap=json_memory_begin)
jg_test(test_ps_errors SOURCES test_ps_errors.c ps_rig.c vault_rig.c fake_clock.c DEPENDS jg_backends jg_conf jg_base)
jg_test(test_ps_torture SOURCES test_ps_torture.c ps_rig.c vault_rig.c fake_clock.c DEPENDS jg_backends jg_conf jg_base)

# The backend on the real loop against the simulator.
if(TARGET passwordsafe-sim)
  jg_test(test_ps_live SOURCES test_ps_live.c DEPENDS jg_backends jg_loop jg_audit jg_conf jg_base)
  target_compile_definitions(test_ps_live PRIVATE SIMULATOR="$<TARGET_FILE:passwordsafe-sim>")
  add_dependencies(test_ps_live passwordsafe-sim)
endif()
