# The configuration: one table, and the files that read, check and print it.
target_sources(jg_base PRIVATE
  conf.c conf_check.c conf_draft.c conf_files.c conf_lists.c conf_numbers.c conf_print.c conf_read.c
  conf_table.c conf_texts.c names.c nearest.c)
