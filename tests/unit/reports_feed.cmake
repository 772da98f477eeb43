# The feed for other programs.
foreach(part feed feed_history)
  jg_test(reports_${part}_test
    SOURCES reports/test_reports_${part}.c reports/feed_rig.c reports_rig.c
    DEPENDS jumpgate_reports_query jumpgate_reports_store jg_base)
endforeach()
