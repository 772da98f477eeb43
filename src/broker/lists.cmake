# Who is asked for, what is asked, and what came back: the reading half of the broker.
jg_room(jg_lists
  SOURCES
    card.c catalogue.c catalogues.c directory.c directory_book.c find_ask.c find_show.c fold.c fold_marks.c
    credential_id.c endpoint_rows.c explain.c survey_notes.c find_rows.c key_notes.c list_cache.c list_key.c lists.c match.c policy_cache.c
    wants.c survey.c usermap.c
  DEPENDS jg_base)
target_include_directories(jg_lists SYSTEM PRIVATE ${UTHASH_INCLUDE_DIR})
