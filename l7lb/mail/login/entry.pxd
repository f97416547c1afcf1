from l7lb_protocols.wire cimport Session


cdef class Entry(Session):
    cdef readonly object driver, dialect, desk, office, options
    cdef public str source
    cdef public tuple key
    cdef public object assignment
    cdef public bint is_fixed
    cdef public bytes sni
    cdef object _client, _pool, _lock, _task, _login, _facts
    cdef str _place
    cdef bint _is_over

    cpdef _heard(self, list events)
    cpdef _finish(self, int outcome)
    cpdef bint _enter_now(self, said) except -1
    cpdef _route(self, identity, said)
    cpdef _seat(self, tuple key, assignment, identity)
    cpdef _connect(self)
    cpdef _give_back(self)
