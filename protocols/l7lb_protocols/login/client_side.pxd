cdef class ClientSide:
    cdef public object settings, peer, state, origin
    cdef public bint is_tls
    cdef public bytes certificate
    cdef public object _exchange
    cdef public list _events
    cdef public int _bad, _failures, _commands

    cpdef list greet(self)
    cpdef list accept(self, login)
    cpdef list receive(self, bytes data)
    cpdef _move(self, what)
    cpdef _say(self, bytes data)
    cpdef list _run(self)
    cpdef _credentials(self, found)
    cpdef bint _count_command(self) except -1
    cpdef _feed(self, bytes data)
    cpdef Py_ssize_t _pending(self) except -1
    cpdef bytes _rest(self)
    cpdef bint _step(self) except -1
