cimport cython

from l7lb_protocols.http.scanner cimport RequestScanner


cdef class RequestIds:
    cdef bytes _prefix
    cdef long long _count

    cpdef bytes new(self)


cdef class Forwarding:
    cdef readonly object policy, client
    cdef readonly bytes request_id
    cdef readonly bint trusted
    cdef readonly int drop
    cdef bint _host, _id
    cdef RequestIds _ids
    cdef bytes _forwarded, _fixed

    cpdef source(self, RequestScanner head)
    @cython.locals(added=bytes)
    cpdef bytes lines(self, RequestScanner head)
    cdef bytes _trusted_lines(self, RequestScanner head)
