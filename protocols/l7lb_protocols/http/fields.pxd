cimport cython

from l7lb_protocols.facts cimport Facts

ctypedef const unsigned char* octets

cdef bytes LOWER_TABLE
cdef octets LOWER
cdef int HIDDEN, REMOVED, CONTENT_LENGTH, TRANSFER_ENCODING, HOP_BY_HOP, WIDTH


cdef class FieldSpans(Facts):
    cdef readonly int max_fields
    cdef int[::1] _spans
    cdef bytes _data
    cdef int _count
    cdef bint _untidy
    cdef readonly long long content_length
    cdef readonly bint chunked

    @cython.locals(k=int)
    cdef void _add(self, int name, int end, int value, int last, int kind) noexcept
    cdef void _close(self, int offset) noexcept
    cdef int _end_of_fields(self) noexcept
    cdef int _first_field(self) noexcept
    @cython.locals(k=Py_ssize_t)
    cdef bint _same(self, octets p, Py_ssize_t at, octets name, Py_ssize_t length) noexcept
    @cython.locals(p=octets, at=Py_ssize_t, length=Py_ssize_t)
    cdef int _find(self, bytes name, int k) except? -1
    @cython.locals(p=octets, start=Py_ssize_t)
    cdef bytes _value(self, int k)
    cdef bytes _joined(self, bytes name, bytes separator)
    @cython.locals(k=int)
    cpdef bytes header(self, bytes name)
    cpdef list fields(self)
    @cython.locals(p=octets, k=int, at=Py_ssize_t, end=Py_ssize_t)
    cdef list _listed(self, int skip)
    @cython.locals(kind=int)
    cdef bytes _tidy_value(self, int k)
    @cython.locals(k=int)
    cpdef remove(self, bytes name)
    @cython.locals(p=octets, k=int, at=Py_ssize_t)
    cdef void _kept(self, list parts, Py_ssize_t begin, int skip) except *
