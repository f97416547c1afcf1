cimport cython

from l7lb.net.kernel cimport Readiness

cdef int BATCH


cdef class Pollable:
    cpdef ready(self, int events)
    cpdef round_ended(self)


cdef class Poller:
    cdef readonly object loop
    cdef public double now_s, wall_offset_s
    cdef object _epoll
    cdef Readiness _ready
    cdef list _watched
    cdef list _writers
    cdef bint _dispatching
    cdef set _forgotten

    cpdef watch(self, int fd, Pollable pollable, int events)
    cdef bint _is_modified(self, int fd, int events) except -1
    cpdef change(self, int fd, int events)
    cpdef forget(self, int fd)
    cpdef closing(self, int fd)
    cpdef at_round_end(self, Pollable writer)
    cdef _serve(self, int fd, Pollable pollable, int events)
    @cython.locals(writer=Pollable)
    cpdef _end_round(self)
    cdef _end(self, Pollable writer)
    @cython.locals(ready=Readiness, watched=list, forgotten=set, fd=int, number=int, pollable=Pollable)
    cpdef _dispatch(self)
