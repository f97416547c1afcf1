# C types for shared.py.
cimport cython

from l7lb.ports cimport Counters

cdef Py_ssize_t ACTIVE, BUCKETS, BYTES_IN, BYTES_OUT, CONNECTS, EVER, FAMILIES
cdef Py_ssize_t FIRST_BYTE_SUM_US, FIRST_BYTE_TIMES, HEAD_CELLS, LIVE, REFUSED, RESPONSES
cdef Py_ssize_t SERVER_CELLS, SERVICE_CELLS, TOTAL_SUM_US, TOTAL_TIMES

cdef class SharedCounters(Counters):
    cdef readonly object layout
    cdef long long[::1] _cells
    cdef long long[::1] _bounds_us
    cdef Py_ssize_t _slot_cells, _services, _own, _own_services

    cpdef long long active(self, Py_ssize_t index) except? -1
    cpdef add(self, Py_ssize_t index, long long delta)
    cpdef void count(self, Py_ssize_t index, Py_ssize_t cell)
    @cython.locals(at=Py_ssize_t)
    cpdef void opened(self, Py_ssize_t service)
    cpdef void closed(self, Py_ssize_t service)
    cpdef void refused(self, Py_ssize_t service)
    cpdef long long connections(self, Py_ssize_t service)
    @cython.locals(at=Py_ssize_t, first_us=cython.longlong)
    cpdef void record(self, Py_ssize_t service, Py_ssize_t server, int status,
                      long long bytes_in, long long bytes_out,
                      double first_byte_s, double total_s)
    @cython.locals(family=int, total_us=cython.longlong)
    cdef void _request(self, Py_ssize_t at, int status, long long bytes_in, long long bytes_out,
                       double total_s)
    @cython.locals(bucket=Py_ssize_t)
    cdef Py_ssize_t _bucket(self, long long microseconds)
    @cython.locals(total=cython.longlong, _=Py_ssize_t)
    cdef long long _gauge(self, Py_ssize_t at)
