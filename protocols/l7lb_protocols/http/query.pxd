cimport cython

from l7lb_protocols.http.fields cimport octets

cdef int TAB, SPACE, QUOTE, SEMICOLON, EQUALS


@cython.locals(
    p=octets, wanted=octets, size=Py_ssize_t, length=Py_ssize_t, at=Py_ssize_t
)
cpdef bytes cookie_value(bytes cookies, bytes name)

@cython.locals(k=Py_ssize_t)
cdef bint names_pair(octets p, Py_ssize_t at, octets name, Py_ssize_t length) noexcept

@cython.locals(end=Py_ssize_t)
cdef bytes pair_value(octets p, Py_ssize_t start, Py_ssize_t size)

cpdef bytes argument_value(bytes query, bytes name)
