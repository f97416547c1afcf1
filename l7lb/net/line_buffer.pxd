cimport cython


@cython.final
cdef class LineBuffer:
    cdef readonly Py_ssize_t size
    cdef char* _data
    cdef Py_ssize_t _room

    cdef int _reserve(self, Py_ssize_t more) except -1
    cdef int _put(self, const char* data, Py_ssize_t size) except -1
    cdef bint _put_plain(self, const char* data, Py_ssize_t size) except -1
    cpdef int add(self, bytes data) except -1
    cpdef bint add_plain(self, bytes data) except -1
    cpdef bint add_name(self, str text) except -1
    cpdef int add_number(self, long long number) except -1
    cpdef int add_seconds(self, double seconds) except -1
    cpdef bytes take(self)
