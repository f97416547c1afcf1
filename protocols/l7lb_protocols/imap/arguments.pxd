cdef class ArgumentParser:
    cdef readonly list arguments
    cdef list _list
    cdef Py_ssize_t _left
    cdef bint _is_after

    cpdef feed(self, bytes line)
    cpdef put(self, bytes literal)
    cdef Py_ssize_t _between(self, bytes line, Py_ssize_t at) except -1
    cdef Py_ssize_t _open(self, bytes line, Py_ssize_t at) except -1
    cdef _add(self, word)
