foreach(name usermap credential_id)
  jg_test(test_${name} SOURCES test_${name}.c DEPENDS jg_lists jg_backends jg_conf jg_base)
endforeach()
foreach(name account_lists account_list_cache)
  jg_test(test_${name} SOURCES test_${name}.c lists_rig.c fake_clock.c fake_vault.c
    DEPENDS jg_lists jg_backends jg_conf jg_base)
endforeach()
jg_test(test_find_rows SOURCES test_find_rows.c DEPENDS jg_broker jg_lists jg_backends jg_conf jg_base)
foreach(name find endpoints)
  jg_test(test_${name} SOURCES test_${name}.c find_rig.c plain_rank.c fake_clock.c fake_vault.c
    DEPENDS jg_broker jg_lists jg_backends jg_conf jg_base)
endforeach()
jg_test(test_find_out_of_memory SOURCES test_find_out_of_memory.c find_rig.c fake_clock.c fake_vault.c
  DEPENDS jg_broker jg_lists jg_backends jg_conf jg_base)
target_link_options(test_find_out_of_memory PRIVATE
  -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=strdup,--wrap=strndup)
jg_test(test_catalogue SOURCES test_catalogue.c plain_rank.c DEPENDS jg_lists jg_backends jg_conf jg_base)
jg_test(test_display_name SOURCES test_display_name.c find_rig.c fake_clock.c fake_vault.c
  DEPENDS jg_broker jg_lists jg_backends jg_conf jg_base)
jg_test(test_catalogue_cache SOURCES test_catalogue_cache.c find_rig.c fake_clock.c fake_vault.c
  DEPENDS jg_broker jg_lists jg_backends jg_conf jg_base)
jg_test(test_explain SOURCES test_explain.c fake_clock.c DEPENDS jg_lists jg_conf jg_base)
