cimport cython

from l7lb_protocols.http.scanner cimport RequestScanner

cdef list PAIRS


cdef class ClientInfo:
    cdef readonly str source
    cdef readonly bint tls
    cdef readonly bytes sni, tls_name


cdef class RequestIds:
    cdef bytes _prefix, _leading
    cdef long long _count

    @cython.locals(low=int)
    cpdef bytes new(self)


cdef class Forwarding:
    cdef readonly object policy
    cdef readonly ClientInfo client
    cdef readonly bytes request_id
    cdef readonly bint trusted
    cdef readonly int drop
    cdef bint _host, _id
    cdef RequestIds _ids
    cdef bytes _forwarded, _fixed

    cpdef source(self, RequestScanner head)
    @cython.locals(parts=list)
    cpdef bytes lines(self, RequestScanner head)
    cdef bytes _trusted_lines(self, RequestScanner head)
