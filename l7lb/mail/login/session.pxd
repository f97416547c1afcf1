from l7lb.mail.login.entry cimport Entry
from l7lb_protocols.login.server_side cimport ServerSide


cdef class LoginSession(Entry):
    cdef ServerSide _server
    cdef tuple _words
    cdef int _ended
    cdef long long _counted

    cpdef begin(self)
    cpdef secured(self, int side, bytes name)
    cpdef client_data(self, bytes data)
    cpdef client_eof(self)
    cpdef client_lost(self)
    cpdef server_ready(self)
    cpdef server_failed(self, int status)
    cpdef server_data(self, bytes data)
    cpdef server_eof(self)
    cpdef server_lost(self)
    cpdef relayed(self, int source)
    cpdef expired(self, int phase)
