cimport cython

from l7lb.net.stream cimport Stream

cdef int HEADER, FIRST_TYPE, LAST_TYPE, CONTROL
cdef Py_ssize_t RECORD, WRITE_RECORD, MAX_SEALED
cdef bytearray _SEALED


cdef class TlsStream(Stream):
    cdef readonly bint ragged_eof
    cdef object _incoming, _outgoing, _tls, _unseal, _on_ready
    cdef bint _has_early, _end_early, _held
    cdef bytes _rest

    cpdef _shake(self)
    cdef _opened(self, on_ready)
    cpdef _tell_drained(self)
    cpdef _catch_up(self)
    cpdef resume(self, int reason)
    @cython.locals(rest=Py_ssize_t, count=Py_ssize_t)
    cpdef _read(self)
    @cython.locals(start=Py_ssize_t, size=Py_ssize_t, length=Py_ssize_t, count=Py_ssize_t, ended=bint)
    cdef _open_records(self, Py_ssize_t total)
    cdef _tell(self, Py_ssize_t size, bint ended, error)
    cdef _end_raggedly(self)
    cpdef write(self, bytes data)
    cpdef flush(self, bint more=*)
    @cython.locals(start=Py_ssize_t, data=bytes)
    cdef bytes _seal(self)
    cdef _put(self, bytes sealed)
    cdef _send_control(self)
    cpdef _writable(self)
    cpdef write_eof(self)
    cdef _fail(self, str what, error)
