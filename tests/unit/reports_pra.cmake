# What a PRA site reports, read into records.
foreach(part xml pages syslog)
  jg_test(reports_${part}_test
    SOURCES reports/test_reports_${part}.c reports/reading_rig.c reports/archive_rig.c
    DEPENDS jumpgate_reports_pra jg_loop jg_base)
endforeach()
