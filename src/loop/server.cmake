# The loop itself and the HTTP server; upstream.cmake adds the other half of the room.
jg_room(jg_loop
  SOURCES
    loop.c notify.c
    http.c listener.c connection.c sending.c request.c answer.c http_head.c
    tls.c tls_context.c
  DEPENDS
    jg_base PkgConfig::UV OpenSSL::SSL llhttp::llhttp PkgConfig::SYSTEMD)
