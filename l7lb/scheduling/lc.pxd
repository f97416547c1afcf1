cimport cython

from l7lb.ports cimport Counters


cdef class Seat:
    cdef public object candidate
    cdef public Py_ssize_t index
    cdef public double cost, turn


cdef class Row:
    cdef readonly list seats
    cdef Counters _counters
    cdef double _turn

    @cython.locals(seat=Seat, best=Seat, least=double, load=double)
    cpdef choose(self, exclude)
