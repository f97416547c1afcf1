from l7lb_protocols.imap.commands cimport CommandReader
from l7lb_protocols.login.client_side cimport ClientSide


cdef class ImapClientSide(ClientSide):
    cdef CommandReader _reader
    cdef tuple _product
    cdef bytes _tag

    cpdef _feed(self, bytes data)
    cpdef Py_ssize_t _pending(self) except -1
    cpdef bytes _rest(self)
    cpdef bint _step(self) except -1
    cpdef _command(self, command)
