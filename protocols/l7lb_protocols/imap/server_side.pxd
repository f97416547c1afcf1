from l7lb_protocols.imap.responses cimport ResponseReader
from l7lb_protocols.login.server_side cimport ServerSide


cdef class ImapServerSide(ServerSide):
    cdef tuple _words
    cdef ResponseReader _reader
    cdef int _numbers
    cdef bytes _tag, _login_tag, _untagged
    cdef list _pieces
    cdef object _exchange
