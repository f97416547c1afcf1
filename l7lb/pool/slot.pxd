from l7lb.pool.server cimport Server


cdef class Home:
    cpdef give_back(self, Server server, outcome)
    cpdef measured(self, Server server, double taken_s)
    cpdef learn(self, Server server, bytes value)


cdef class Slot:
    cdef readonly Server server
    cdef readonly bytes set_cookie
    cdef Home _home
    cdef double _taken_s

    cpdef first_byte(self)
    cpdef learn(self, bytes value)
    cpdef release(self, outcome)
