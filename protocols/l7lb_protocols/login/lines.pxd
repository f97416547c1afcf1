cdef class LineBuffer:
    cdef object _problem
    cdef bytearray _data
    cdef Py_ssize_t _scanned

    cpdef receive(self, bytes data)
    cpdef bytes take_line(self, Py_ssize_t max_bytes)
    cpdef bytes take(self, Py_ssize_t count)
    cpdef bytes rest(self)
    cdef bytes _cut(self, Py_ssize_t count)
