from l7lb_protocols.wire cimport Session


cdef class LoginSession(Session):
    cdef readonly object driver, dialect, desk, office, options
    cdef public str source
    cdef public tuple key
    cdef public object assignment
    cdef public bint is_fixed
    cdef public bytes sni
    cdef object _client, _server, _pool, _lock, _task, _login, _facts
    cdef tuple _words
    cdef int _ended
    cdef bint _is_over

    cpdef begin(self)
    cpdef secured(self, int side, bytes name)
    cpdef client_data(self, bytes data)
    cpdef client_eof(self)
    cpdef client_lost(self)
    cpdef server_ready(self)
    cpdef server_failed(self, int status)
    cpdef server_data(self, bytes data)
    cpdef server_eof(self)
    cpdef server_lost(self)
    cpdef relayed(self, int source)
    cpdef expired(self, int phase)
