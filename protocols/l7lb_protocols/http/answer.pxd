cimport cython

from l7lb_protocols.http.chunked cimport ChunkScanner
from l7lb_protocols.http.fields cimport octets
from l7lb_protocols.http.forwarded cimport ClientInfo, Forwarding
from l7lb_protocols.http.response cimport ResponseScanner
from l7lb_protocols.http.scanner cimport RequestScanner
from l7lb_protocols.wire cimport Decision, Session, Wire

cdef int CLIENT, SERVER, OUTCOME_FAILED, OUTCOME_OK, PHASE_BETWEEN, PHASE_FIRST_BYTE, PHASE_TUNNEL
cdef int CHUNKED, LENGTH, NO_BODY, MAX_INTERIM
cdef int ASK_DONE, ASK_HEAD, ASK_TUNNEL
cdef int ANSWER_CHUNKED, ANSWER_EOF, ANSWER_HEAD, ANSWER_LENGTH, ANSWER_NONE, ANSWER_TUNNEL
cdef int DROP_TRANSFER_ENCODING


cdef class HttpSettings:
    cdef readonly RequestScanner requests
    cdef readonly ResponseScanner responses
    cdef readonly object policy
    cdef readonly long long max_body, max_pipeline


cdef class AnswerSide(Session):
    cdef readonly Wire wire
    cdef readonly Forwarding forwarding
    cdef readonly ClientInfo client
    cdef readonly HttpSettings settings
    cdef readonly int ask, answer
    cdef readonly bint closing, keep, body_sent
    cdef readonly bytes pending, early, raw, head
    cdef Decision decision
    cdef long long _left
    cdef int _interim, _half_closed
    cdef bint _server_keep, _in_head, _held, _same_tried, _client_ended
    cdef bytes _asked_upgrade
    cdef ChunkScanner _ask_chunks, _answer_chunks
    cdef list _mirrored

    cpdef server_data(self, bytes data)
    @cython.locals(start=Py_ssize_t, end=Py_ssize_t, head=ResponseScanner)
    cdef _response(self, bytes data)
    @cython.locals(
        p=octets, status=int, framing=int, out=bytes, size=Py_ssize_t, left=cython.longlong
    )
    cdef _final(self, ResponseScanner head, bytes data, Py_ssize_t end)
    @cython.locals(added=bytes, drop=int, decision=Decision)
    cdef bytes _response_head(self, ResponseScanner head)
    @cython.locals(cookie=bytes)
    cdef bytes _set_cookie(self)
    @cython.locals(end=Py_ssize_t, output=bytes, chunks=ChunkScanner)
    cdef _server_chunks(self, bytes data, Py_ssize_t start, bytes head)
    cdef bint _may_switch(self, ResponseScanner head) except -1
    cdef _tunnel(self, ResponseScanner head, bytes data, Py_ssize_t end)
    cdef _finish(self, bint leftover)
    cdef _end_exchange(self)
    cdef _reply_locally(self, Decision decision)
    cdef _refuse(self, int status, reason)
    cdef _fail(self, int status, int outcome)
    cdef _cut(self, int outcome)
    cdef _close(self)
    cdef _next(self)
