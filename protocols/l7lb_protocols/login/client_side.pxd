cdef class ClientSide:
    cdef public object settings, peer, state, origin
    cdef public bint is_tls
    cdef public bytes certificate
    cdef public object _exchange
    cdef public list _events
    cdef public int _bad, _failures, _commands
