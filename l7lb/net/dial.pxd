cimport cython

from l7lb.net.stream cimport Stream


cdef class IdleConnections:
    cdef public Py_ssize_t limit
    cdef dict _idle

    @cython.locals(stream=Stream)
    cpdef Stream take(self, bint careful)
    cpdef put(self, Stream stream, double until_s)
    cpdef sweep(self, double now_s)
    cpdef close(self)
    cpdef _drop(self, Stream stream)
    cpdef stream_data(self, Stream stream, bytes data)
    cpdef stream_eof(self, Stream stream)
    cpdef stream_lost(self, Stream stream, error)
    cpdef stream_drained(self, Stream stream)
