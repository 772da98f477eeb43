# The PRA client against a scripted loop/upstream: the rig stands in for jg_loop at link time.
set(pra_rig test_pra_rig.c fake_clock.c)
jg_test(test_pra_client SOURCES test_pra_client.c ${pra_rig} DEPENDS jumpgate_pra_client jg_base)
jg_test(test_pra_answers SOURCES test_pra_answers.c ${pra_rig} DEPENDS jumpgate_pra_client jg_base)
jg_test(test_pra_own SOURCES test_pra_own.c ${pra_rig} DEPENDS jumpgate_pra_client jg_base)

# The site on it, with a simulated site that answers every call.
foreach(part watch poll terminate)
  jg_test(test_pra_${part} SOURCES test_pra_${part}.c test_pra_world.c ${pra_rig} DEPENDS jg_pra_site jg_base)
endforeach()

jg_test(test_pra_memory SOURCES test_pra_memory.c test_pra_world.c ${pra_rig} DEPENDS jg_pra_site jg_base)
target_link_options(test_pra_memory PRIVATE -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=strdup)

# The same on the real loop, against the simulator.
if(TARGET pra-sim)
  jg_test(test_pra_live SOURCES test_pra_live.c DEPENDS jg_pra_site jg_loop jg_base)
  target_compile_definitions(test_pra_live PRIVATE SIMULATOR="$<TARGET_FILE:pra-sim>")
  add_dependencies(test_pra_live pra-sim)
endif()
