cimport cython

from l7lb.net.kernel cimport splice
from l7lb.net.stream cimport Pump, Stream

cdef int FULL
cdef Py_ssize_t FULL_PULL, ROUND_BYTES


cdef class Splice(Pump):
    cdef readonly Stream source, target
    cdef readonly long long left
    cdef readonly object owner
    cdef object _pipes
    cdef tuple _pipe
    cdef Py_ssize_t _inside
    cdef bint _ended

    cpdef round_ended(self)
    @cython.locals(budget=Py_ssize_t, count=Py_ssize_t)
    cpdef readable(self, Stream stream)
    cpdef writable(self, Stream stream)
    cpdef stop(self)
    @cython.locals(want=Py_ssize_t, count=Py_ssize_t)
    cdef Py_ssize_t _pull(self) except -2
    @cython.locals(count=Py_ssize_t)
    cdef bint _push(self) except -1
    cdef _settle(self)
