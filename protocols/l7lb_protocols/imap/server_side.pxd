from l7lb_protocols.imap.responses cimport ResponseReader
from l7lb_protocols.login.server_side cimport ServerSide


cdef class ImapServerSide(ServerSide):
    cdef tuple _words
    cdef ResponseReader _reader
    cdef int _numbers
    cdef bytes _tag, _login_tag, _untagged
    cdef list _pieces
    cdef object _exchange

    cpdef _feed(self, bytes data)
    cpdef bytes _rest(self)
    cpdef bint _step(self) except -1
    cpdef _greeting(self, found)
    cpdef bint _learn(self, found) except -1
    cpdef bytes _next_tag(self)
    cpdef _enter(self, login)
    cpdef bytes _introduction(self)
    cpdef bint _prepare(self, login, tuple known) except -1
