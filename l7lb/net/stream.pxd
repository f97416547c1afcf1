cimport cython

from l7lb.net.kernel cimport is_silent, receive, transmit
from l7lb.net.poller cimport Pollable, Poller

cdef int READ, WRITE, BROKEN
cdef Py_ssize_t PROMPT_SIZE


cdef class Stream


cdef class Pump(Pollable):
    cpdef readable(self, Stream stream)
    cpdef writable(self, Stream stream)


cdef class Stream(Pollable):
    cdef readonly Poller poller
    cdef readonly object sock
    cdef readonly int fd
    cdef public object handler
    cdef public Pump pump
    cdef readonly Pump pump_out
    cdef public Py_ssize_t read_size
    cdef public Py_ssize_t queued
    cdef public bint closed, held_back
    cdef readonly bint at_eof
    cdef public object _queue
    cdef public bytes _unsent
    cdef public int _paused, _events
    cdef public bint _finish
    cdef public object _error

    cpdef pause(self, int reason)
    cpdef resume(self, int reason)
    cpdef ready(self, int events)
    @cython.locals(pump=Pump)
    cdef _readable(self, int events)
    @cython.locals(data=bytes)
    cpdef _read(self)
    cpdef note_eof(self)
    cpdef _broken(self)
    cpdef write(self, bytes data)
    cpdef round_ended(self)
    cpdef flush(self, bint more=*)
    @cython.locals(sent=Py_ssize_t)
    cdef _send(self, bytes data, bint more)
    cpdef long long untaken(self) except -1
    cpdef want_writable(self, Pump pump)
    @cython.locals(pump=Pump)
    cpdef _writable(self)
    cpdef _flush(self)
    cpdef write_eof(self)
    cpdef _shut(self)
    cdef bint _has_unread(self) except -1
    cpdef _lose_soon(self, error)
    @cython.locals(pump=Pump)
    cpdef writing_failed(self, error)
    cpdef lose(self, error)
    cpdef close(self)
    cpdef abort(self)
    @cython.locals(events=int)
    cpdef _interest(self)
