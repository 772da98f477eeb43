# What the page asks of the database. Each program fills one by the real store; the rig says which engine.
foreach(part tiles grids)
  set(sources reports/test_query_${part}.c reports/query_rig.c)
  set(rooms jumpgate_reports_query jumpgate_reports_store jg_base PkgConfig::CJSON)
  jg_test(reports_query_${part}_test SOURCES ${sources} reports_rig.c DEPENDS ${rooms})
  jg_test(reports_query_${part}_postgresql_test
    SOURCES ${sources} reports_rig_postgresql.c postgres_rig.c tls_files.c DEPENDS ${rooms} OpenSSL::Crypto)
  target_compile_definitions(reports_query_${part}_postgresql_test PRIVATE RIG_POSTGRESQL)
  set_tests_properties(reports_query_${part}_postgresql_test PROPERTIES LABELS long) # scripts/test --all
endforeach()
jg_test(reports_query_parse_test
  SOURCES reports/test_query_parse.c
  DEPENDS jumpgate_reports_query jg_base PkgConfig::CJSON)
jg_test(reports_query_sql_test
  SOURCES reports/test_query_sql.c reports_rig.c
  DEPENDS jumpgate_reports_query jumpgate_reports_store jg_base)
