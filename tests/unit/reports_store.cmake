jg_test(test_reports_records SOURCES test_reports_records.c DEPENDS jumpgate_reports_records jg_base)
jg_test(test_reports_db SOURCES test_reports_db.c DEPENDS jumpgate_reports_db jg_base PkgConfig::SQLITE)
jg_test(test_reports_hours SOURCES test_reports_hours.c DEPENDS jumpgate_reports_store jg_base)
jg_test(test_reports_store SOURCES test_reports_store.c reports_rig.c DEPENDS jumpgate_reports_store jg_base)
jg_test(test_reports_history SOURCES test_reports_history.c reports_rig.c DEPENDS jumpgate_reports_store jg_base)

# The same on a PostgreSQL server that each program starts (postgres_rig.h).
set(postgres_rig reports_rig_postgresql.c postgres_rig.c tls_files.c)
jg_test(test_reports_postgresql SOURCES test_reports_postgresql.c ${postgres_rig}
  DEPENDS jumpgate_reports_store jg_base OpenSSL::Crypto)
target_compile_definitions(test_reports_postgresql PRIVATE RIG_POSTGRESQL)
foreach(name store history)
  jg_test(test_reports_${name}_postgresql SOURCES test_reports_${name}.c ${postgres_rig}
    DEPENDS jumpgate_reports_store jg_base OpenSSL::Crypto)
  target_compile_definitions(test_reports_${name}_postgresql PRIVATE RIG_POSTGRESQL)
  set_tests_properties(test_reports_${name}_postgresql PROPERTIES LABELS long) # scripts/test --all
endforeach()
jg_test(test_reports_odbc SOURCES test_reports_odbc.c DEPENDS jumpgate_reports_db jg_base)
target_link_options(test_reports_odbc PRIVATE
  -Wl,--wrap=SQLEndTran,--wrap=SQLFetch,--wrap=SQLGetDiagRecW)
