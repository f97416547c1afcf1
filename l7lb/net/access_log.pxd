from l7lb.net.line_buffer cimport LineBuffer
from l7lb.net.log_lines cimport Record, write_combined, write_json

cdef Py_ssize_t CHUNK_BYTES


cdef class AccessLog:
    cdef readonly object spec
    cdef public Py_ssize_t dropped, written
    cdef LineBuffer _buffer
    cdef Py_ssize_t _lines, _limit
    cdef bint _is_on, _is_combined
    cdef public bint _is_pipe
    cdef object _chunks, _wake, _thread
    cdef bint _closing, _reopen, _in_trouble
    cdef int _file

    cpdef record(self, Record record)
    cpdef tick(self)
