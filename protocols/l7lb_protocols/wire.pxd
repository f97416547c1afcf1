from l7lb_protocols.facts cimport Facts


cdef class Decision:
    cdef public object reply, edit_request, edit_response
    cdef public bytes path, host
    cdef public bint allow_connect, mirror


cdef class Wire:
    cdef public int failure
    cdef public bytes set_cookie
    cdef public bint draining, full

    cpdef send(self, int side, bytes data)
    cpdef relay(self, int source, long long count)
    cpdef end(self, int side)
    cpdef hold(self, bint on)
    cpdef Decision decide(self, Facts facts)
    cpdef int connect(self, Facts facts, bint careful) except -1
    cpdef int retry(self, Facts facts, bint same) except -1
    cpdef answered(self, int status, Facts answer)
    cpdef release(self, int outcome, bint reusable)
    cpdef start_tls(self, int side)
    cpdef mirror(self, bytes head, bytes body)
    cpdef phase(self, int phase)
    cpdef log(self, Exchange session)
    cpdef close(self, bint linger)
    cpdef abort(self)


cdef class Exchange:
    cdef public bytes method, target, host, request_id, agent, referer
    cdef public int minor, status, tries
    cdef public str flags


cdef class Session(Exchange):
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
