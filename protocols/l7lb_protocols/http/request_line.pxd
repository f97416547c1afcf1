cimport cython

from l7lb_protocols.http.fields cimport octets
from l7lb_protocols.http.head cimport HeadScanner

cdef bytes TABLE, LOWER_TABLE
cdef octets OCTETS, LOWER, VERSION
cdef int TOKEN, PLAIN, QUERY, NAME, MAX_METHOD, MAX_TARGET


cdef class RequestLine(HeadScanner):
    cdef readonly bytes target, authority
    cdef readonly int minor
    cdef readonly bint encoded_slash
    cdef bytes _absolute
    cdef bint _as_sent, _odd
    cdef Py_ssize_t _question

    cdef void _clear_line(self)
    @cython.locals(limit=Py_ssize_t)
    cdef void _long_target(self, bytes data, Py_ssize_t start, Py_ssize_t n) except *
    @cython.locals(i=Py_ssize_t, method_end=Py_ssize_t, target=Py_ssize_t, end=Py_ssize_t)
    cdef Py_ssize_t _request_line(self, octets p, Py_ssize_t start, Py_ssize_t n) except -1
    @cython.locals(i=Py_ssize_t)
    cdef Py_ssize_t _scan_target(self, octets p, Py_ssize_t start, Py_ssize_t n) except -1
    cdef _bad_line(self, int octet, reason)
    @cython.locals(k=Py_ssize_t, c=int, lawful=bint)
    cdef Py_ssize_t _scan_version(self, octets p, Py_ssize_t start, Py_ssize_t n) except -1
    cdef void _take_method(self, octets p, Py_ssize_t start, Py_ssize_t end) except *
    @cython.locals(path_end=Py_ssize_t, path=bytes)
    cdef void _take_target(self, octets p, Py_ssize_t start, Py_ssize_t end) except *
    cdef void _other_form(self, bytes target) except *
    cdef void _absolute_form(self, bytes target) except *
    @cython.locals(host=bytes)
    cdef void _authority(self, bytes value) except *
    @cython.locals(i=Py_ssize_t, end=Py_ssize_t, k=Py_ssize_t, port=int)
    cdef bytes _plain_host(self, octets p, Py_ssize_t n)
