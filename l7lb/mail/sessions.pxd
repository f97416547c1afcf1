cdef class Sessions:
    cdef object _clock
    cdef dict _by_key, _ended, _new, _young
    cdef object _by_server

    cpdef enter(self, session)
    cpdef leave(self, session)
