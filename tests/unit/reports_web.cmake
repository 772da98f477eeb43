set(web_rig web_rig.c http_rig.c reports_rig.c tls_files.c )
set(web_rooms jumpgate_reports_web jumpgate_reports_collect jumpgate_reports_query jumpgate_reports_conf jumpgate_reports_store jumpgate_reports_db jg_loop jg_audit jg_base)
jg_test(test_reports_web SOURCES test_reports_web.c ${web_rig} DEPENDS ${web_rooms})
jg_test(test_reports_web_data SOURCES test_reports_web_data.c ${web_rig} DEPENDS ${web_rooms})
