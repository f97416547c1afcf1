cimport cython

from l7lb_protocols.http.answer cimport AnswerSide
from l7lb_protocols.http.chunked cimport ChunkScanner
from l7lb_protocols.http.fields cimport octets
from l7lb_protocols.http.scanner cimport RequestScanner
from l7lb_protocols.wire cimport Decision

cdef int CLIENT, SERVER, FAILED, PENDING, READY
cdef int OUTCOME_CANCELLED, OUTCOME_FAILED, OUTCOME_OK, OUTCOME_TIMEOUT
cdef int PHASE_BETWEEN, PHASE_BODY, PHASE_FIRST_BYTE, PHASE_HEAD, PHASE_KEEP_ALIVE, PHASE_SEND, PHASE_TUNNEL
cdef int ANSWER_CONNECT, ANSWER_EOF, ANSWER_HEAD, ANSWER_NONE, ANSWER_TUNNEL
cdef int ASK_CHUNKED, ASK_DONE, ASK_HEAD, ASK_LENGTH
cdef frozenset IDEMPOTENT


cdef class HttpSession(AnswerSide):
    cpdef client_data(self, bytes data)
    @cython.locals(p=octets, start=Py_ssize_t, end=Py_ssize_t, size=Py_ssize_t)
    cdef _requests(self, bytes data)
    cdef _await_head(self)
    cdef _refuse_unread(self, int status, reason)
    @cython.locals(
        p=octets, limit=cython.longlong, head=RequestScanner, added=bytes, once=bint,
        decision=Decision
    )
    cdef Py_ssize_t _request(self, bytes data, Py_ssize_t start, Py_ssize_t end) except -1
    cdef _introduce(self, RequestScanner head)
    cdef _note(self, RequestScanner head, bytes raw)
    cdef Py_ssize_t _dispatched(self, int code, bytes data, Py_ssize_t end) except -1
    @cython.locals(body=bytes)
    cdef Py_ssize_t _start(self, bytes data, Py_ssize_t start) except -1
    @cython.locals(end=Py_ssize_t, output=bytes, chunks=ChunkScanner)
    cdef Py_ssize_t _client_chunks(self, bytes data, Py_ssize_t start, bytes head) except -1
    @cython.locals(body=bytes)
    cdef _client_length(self, bytes data)
    cdef _cut_short(self)
    cdef _break_ask(self, int status, reason)
    cdef _request_sent(self)
    cdef _tee(self, bytes body)
    cpdef client_eof(self)
    cpdef client_lost(self)
    cpdef server_ready(self)
    cpdef server_failed(self, int status)
    cpdef server_eof(self)
    cpdef server_lost(self)
    cdef _server_gone(self, bint broken)
    cdef bint _may_retry(self)
    cdef bint _retry(self, bint same) except -1
    cpdef relayed(self, int source)
    cdef _next(self)
    cpdef expired(self, int phase)
