cdef class Poller:
    cdef readonly object loop
    cdef public double now_s
    cdef object _epoll
    cdef dict _watched
    cdef list _writers
    cdef bint _dispatching
    cdef set _forgotten

    cpdef watch(self, int fd, pollable, int events)
    cpdef change(self, int fd, int events)
    cpdef forget(self, int fd)
    cpdef closing(self, int fd)
    cpdef flush_later(self, writer)
    cdef _serve(self, int fd, pollable, int events)
    cpdef _flush(self)
    cpdef _dispatch(self)
