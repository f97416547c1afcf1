cimport cython

from l7lb.ports cimport Counters


cdef class Seat:
    cdef public object candidate
    cdef public Py_ssize_t index
    cdef public double cost, turn


@cython.locals(seat=Seat, best=Seat, least=double, load=double)
cpdef Seat least_loaded(list seats, Counters counters, exclude)
