cimport cython

from l7lb_protocols.http.fields cimport octets
from l7lb_protocols.http.head cimport HeadScanner

cdef bytes TABLE
cdef octets OCTETS, VERSION
cdef int VALUE, SET_COOKIE, UPGRADE, CONTENT_LENGTH, TRANSFER_ENCODING, HOP_BY_HOP
cdef int CLOSE, KEEP_ALIVE, NAMED, ASKS_UPGRADE


cdef class ResponseScanner(HeadScanner):
    cdef readonly int status, minor, framing
    cdef readonly bytes reason, upgrade
    cdef readonly bint keep_alive
    cdef bint _as_sent
    cdef int _skip
    cdef Py_ssize_t _line_at

    cdef void _clear(self, bytes data)
    @cython.locals(p=octets, n=Py_ssize_t, stop=Py_ssize_t, i=Py_ssize_t)
    cpdef Py_ssize_t scan(self, bytes data, Py_ssize_t start, bytes method) except -1
    @cython.locals(i=Py_ssize_t, k=Py_ssize_t, reason=Py_ssize_t, lawful=bint)
    cdef Py_ssize_t _status_line(self, octets p, Py_ssize_t start, Py_ssize_t n) except -1
    cdef void _take_reason(self, octets p, Py_ssize_t start, Py_ssize_t end) except *
    cdef _bad_line(self, reason)
    @cython.locals(options=int)
    cdef void _settle(self, bytes method) except *
    cdef bint _opens_tunnel(self, bytes method)
    cdef void _take_out_framing(self) except *
    @cython.locals(k=int)
    cpdef bytes cookie(self, bytes name)
    cpdef list fields(self)
    @cython.locals(skip=int, begin=Py_ssize_t, parts=list)
    cpdef bytes forward(self, bytes added, int drop=*, bint upgrade=*)
