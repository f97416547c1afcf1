cdef class ServerSide:
    cdef public object settings, login, origin, state
    cdef public bint is_tls
    cdef public tuple capabilities
    cdef public list _events
    cdef public int _answers

    cpdef list receive(self, bytes data)
    cpdef _run(self)
    cpdef _welcomed(self)
    cpdef _learnt(self)
    cpdef _logged_in(self, login)
    cpdef _move(self, what)
    cpdef _say(self, bytes data)
    cpdef list _taken(self)
    cpdef _feed(self, bytes data)
    cpdef bytes _rest(self)
    cpdef bint _step(self) except -1
    cpdef _enter(self, login)
