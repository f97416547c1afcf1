from l7lb_protocols.imap.commands cimport CommandReader
from l7lb_protocols.login.client_side cimport ClientSide


cdef class ImapClientSide(ClientSide):
    cdef CommandReader _reader
    cdef tuple _product
    cdef bytes _tag
