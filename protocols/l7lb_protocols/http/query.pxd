cimport cython

cdef int TAB, SPACE, QUOTE, SEMICOLON, EQUALS


@cython.locals(size=Py_ssize_t, at=Py_ssize_t, start=Py_ssize_t, end=Py_ssize_t)
cpdef object cookie_value(bytes cookies, bytes name)

cdef bint starts_pair(bytes cookies, Py_ssize_t at)
