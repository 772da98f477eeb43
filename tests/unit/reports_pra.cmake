# What a PRA site reports, read into records.
foreach(part xml pages syslog)
  jg_test(reports_${part}_test
    SOURCES reports/test_reports_${part}.c reports/reading_rig.c reports/archive_rig.c
    DEPENDS jumpgate_reports_pra jg_loop jg_base)
endforeach()

# The same over real sockets.
jg_test(reports_site_test
  SOURCES reports/test_reports_site.c reports/reading_rig.c reports/archive_rig.c
  DEPENDS jumpgate_reports_pra jg_loop jg_base)
if(TARGET pra-sim)
  target_compile_definitions(reports_site_test PRIVATE SIMULATOR="$<TARGET_FILE:pra-sim>")
  add_dependencies(reports_site_test pra-sim)
endif()
