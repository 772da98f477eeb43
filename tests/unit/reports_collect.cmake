# The collector of session reports, against a site and a writer of the test's.
jg_test(test_reports_collect
  SOURCES reports/test_reports_collect.c reports/collect_rig.c reports_rig.c fake_clock.c
  DEPENDS jumpgate_reports_collect jumpgate_reports_store jg_base)

# The collector as a process, for tests against the simulator.
add_executable(collect-program reports/collect_program.c)
target_link_libraries(collect-program PRIVATE jumpgate_reports_collecting jg_loop jg_base)
