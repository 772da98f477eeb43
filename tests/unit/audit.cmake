jg_test(test_audit_chain SOURCES test_audit_chain.c DEPENDS jg_base)
jg_test(test_audit_file SOURCES test_audit_file.c audit_trail.c DEPENDS jg_loop jg_base)
jg_test(test_audit_writer SOURCES test_audit_writer.c audit_trail.c DEPENDS jg_loop jg_base)
jg_test(test_audit SOURCES test_audit.c fake_clock.c DEPENDS jg_audit jg_base)
