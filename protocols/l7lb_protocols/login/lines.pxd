cimport cython

cdef int NUL, TAB, LF, CR


cdef class LineBuffer:
    cdef object _problem
    cdef bytes _data
    cdef Py_ssize_t _at, _scanned

    cpdef receive(self, bytes data)
    @cython.locals(data=bytes, at=Py_ssize_t, index=Py_ssize_t, stop=Py_ssize_t, byte=cython.uchar)
    cpdef bytes take_line(self, Py_ssize_t max_bytes)
    cpdef bytes take(self, Py_ssize_t count)
    cpdef bytes rest(self)
