# The collector of session reports, against a site and a writer of the test's.
foreach(part collect trail)
  jg_test(test_reports_${part}
    SOURCES reports/test_reports_${part}.c reports/collect_rig.c reports_rig.c fake_clock.c
    DEPENDS jumpgate_reports_collect jumpgate_reports_store jg_audit jg_base)
endforeach()

jg_test(test_reports_writer
  SOURCES reports/test_reports_writer.c reports_rig.c
  DEPENDS jumpgate_reports_collecting jumpgate_reports_collect jumpgate_reports_store jg_loop jg_base)
