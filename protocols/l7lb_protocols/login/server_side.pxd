cdef class ServerSide:
    cdef public object settings, login, origin, state
    cdef public bint is_tls
    cdef public tuple capabilities
    cdef public list _events
    cdef public int _answers
