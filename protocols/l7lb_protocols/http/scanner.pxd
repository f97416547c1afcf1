cimport cython

from l7lb_protocols.http.fields cimport HeadScanner, octets

cdef bytes TABLE, LOWER_TABLE
cdef octets OCTETS, LOWER, VERSION
cdef int TOKEN, PLAIN, QUERY, NAME, HOST, EXPECT, COOKIE, UPGRADE, CONTENT_LENGTH
cdef int TRANSFER_ENCODING, HOP_BY_HOP, CLOSE, KEEP_ALIVE, NAMED, ASKS_UPGRADE, MAX_METHOD, MAX_TARGET


cdef class RequestScanner(HeadScanner):
    cdef readonly bytes method, target, path, query, host, authority, upgrade
    cdef readonly int minor
    cdef readonly bint keep_alive, expect_continue, encoded_slash
    cdef public str source
    cdef public bytes sni, tls_name, account, recipient
    cdef bytes _absolute
    cdef bint _as_sent, _odd
    cdef Py_ssize_t _question, _line_at

    cdef void _clear(self, bytes data)
    @cython.locals(n=Py_ssize_t, end=Py_ssize_t)
    cpdef Py_ssize_t scan(self, bytes data, Py_ssize_t start=*) except -1
    @cython.locals(limit=Py_ssize_t)
    cdef void _long_target(self, bytes data, Py_ssize_t start, Py_ssize_t n) except *
    @cython.locals(p=octets, i=Py_ssize_t)
    cdef Py_ssize_t _parse(self, bytes data, Py_ssize_t start, Py_ssize_t n) except -1
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
    @cython.locals(options=int)
    cdef void _settle(self) except *
    cpdef cookie(self, bytes name)
    cpdef argument(self, bytes name)
    @cython.locals(skip=int, begin=Py_ssize_t, parts=list)
    cpdef bytes forward(self, bytes added, int drop=*, bytes path=*, bytes host=*, bint upgrade=*)
    cdef bytes _new_line(self, bytes path)
    cpdef RequestScanner detach(self)
