cimport cython

ctypedef const unsigned char* octets

cdef bytes HEX_TABLE, CLASS_TABLE
cdef octets HEX_VALUES, OCTETS
cdef int VALUE, FIRST_DIGIT, DIGITS, EXTENSION, SIZE_CR, SIZE_LF, DATA, DATA_CR, DATA_LF, LINE
cdef int FIELD, LAST_LF, DONE, MAX_DIGITS, MAX_BITS, EXCESS_LINES


cdef class ChunkScanner:
    cdef readonly Py_ssize_t max_line, max_trailers
    cdef readonly bint decode, done
    cdef readonly bytes output
    cdef readonly long long size, left
    cdef int _state, _digits
    cdef long long _size, _excess
    cdef Py_ssize_t _line, _trailers
    cdef bytes _held

    cpdef reset(self)
    cpdef skip(self, long long n)
    @cython.locals(p=octets, n=Py_ssize_t, i=Py_ssize_t, begin=Py_ssize_t, parts=list)
    cpdef Py_ssize_t scan(self, bytes data, Py_ssize_t start=*) except -1
    cdef bint _keeps(self) noexcept
    @cython.locals(taken=Py_ssize_t)
    cdef Py_ssize_t _take_data(self, Py_ssize_t available) noexcept
    @cython.locals(state=int)
    cdef int _step(self, int c) except -1
    @cython.locals(digit=int)
    cdef int _size_byte(self, int c) except -1
    cdef void _begin_chunk(self) except *
    @cython.locals(begin=Py_ssize_t)
    cdef Py_ssize_t _skip_extension(self, octets p, Py_ssize_t i, Py_ssize_t n) except -1
    @cython.locals(end=Py_ssize_t)
    cdef Py_ssize_t _take_field(self, bytes data, Py_ssize_t start, list parts) except -1
