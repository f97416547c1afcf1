cimport cython

from l7lb_protocols.facts cimport Facts
from l7lb_protocols.http.fields cimport octets
from l7lb_protocols.http.query cimport argument_value, cookie_value
from l7lb_protocols.http.request_line cimport RequestLine

cdef int HOST, EXPECT, COOKIE, UPGRADE, CONTENT_LENGTH, TRANSFER_ENCODING, HOP_BY_HOP
cdef int CLOSE, KEEP_ALIVE, NAMED, ASKS_UPGRADE


cdef class RequestScanner(RequestLine):
    cdef readonly bytes upgrade
    cdef readonly bint keep_alive, expect_continue
    cdef Py_ssize_t _line_at

    cdef void _clear(self, bytes data)
    @cython.locals(n=Py_ssize_t, end=Py_ssize_t)
    cpdef Py_ssize_t scan(self, bytes data, Py_ssize_t start=*) except -1
    @cython.locals(p=octets, i=Py_ssize_t)
    cdef Py_ssize_t _parse(self, bytes data, Py_ssize_t start, Py_ssize_t n) except -1
    @cython.locals(options=int)
    cdef void _settle(self) except *
    @cython.locals(first=int)
    cpdef bytes cookie(self, bytes name)
    cpdef bytes argument(self, bytes name)
    @cython.locals(skip=int, begin=Py_ssize_t, parts=list)
    cpdef bytes forward(self, bytes added, int drop=*, bytes path=*, bytes host=*, bint upgrade=*)
    cdef bytes _new_line(self, bytes path)
    cpdef Facts detach(self)
