cdef class Slot:
    cdef readonly object server
    cdef readonly bytes set_cookie
    cdef object _home
    cdef double _taken_s

    cpdef first_byte(self)
    cpdef learn(self, bytes value)
    cpdef release(self, outcome)
