cimport cython

from l7lb_protocols.http.fields cimport FieldSpans, octets

ctypedef long long int64

cdef bytes TABLE, LOWER_TABLE
cdef octets OCTETS, LOWER
cdef int TOKEN, LETTERS, VALUE, FRAMING, HOST, CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION
cdef int CLIENT_NAME, HIDDEN, REMOVED
cdef int CLOSE, KEEP_ALIVE, ASKS_UPGRADE, NAMED, MAX_DIGITS, QUICK
cdef list SLOT_NAMES, SLOT_KINDS
cdef int SLOT_MASK


cdef class HeadScanner(FieldSpans):
    cdef readonly Py_ssize_t max_head
    cdef bytes _client_name
    cdef int _seen, _options, _host_at, _blame, _digits
    cdef bint _underscores

    cdef void _begin(self, bytes data)
    cdef _refusal(self, int status, reason, clause)
    @cython.locals(stop=Py_ssize_t)
    cdef Py_ssize_t _stop(self, bytes data, Py_ssize_t start, Py_ssize_t n) except -1
    cdef Py_ssize_t _scan_fields(self, octets p, Py_ssize_t i, Py_ssize_t n) except -1
    @cython.locals(name=Py_ssize_t, end=Py_ssize_t, value=Py_ssize_t, last=Py_ssize_t,
                   kind=int, plain=bint)
    cdef Py_ssize_t _scan_field(self, octets p, Py_ssize_t i, Py_ssize_t n) except -1
    @cython.locals(slot=Py_ssize_t, known=bytes)
    cdef int _kind(self, octets p, Py_ssize_t at, Py_ssize_t length) except -1
    @cython.locals(length=int64, same=bint)
    cdef int _note(self, octets p, Py_ssize_t start, Py_ssize_t end, int kind) except -1
    @cython.locals(length=int64, k=Py_ssize_t)
    cdef long long _length(self, octets p, Py_ssize_t start, Py_ssize_t end) except -1
    cdef _bad_coding(self, bytes value)
    @cython.locals(i=Py_ssize_t, begin=Py_ssize_t, length=Py_ssize_t)
    cdef void _read_options(self, octets p, Py_ssize_t start, Py_ssize_t end) except *
    cdef void _take_out_named(self) except *
    cdef _bad_name(self, int octet, bint first)
    cdef _bad_value(self, int octet)
    cdef void _unfinished(self, Py_ssize_t start, Py_ssize_t n) except *
