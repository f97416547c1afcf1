cimport cython

from l7lb.net.poller cimport Poller
from l7lb.net.stream cimport Stream
from l7lb.pool.shared cimport SharedCounters

cdef int CLIENT, FAILED, OUTCOME_CANCELLED, PENDING, PHASE_BODY, PHASE_CONNECT, PHASE_FIRST_BYTE, PHASE_KEEP_ALIVE, PHASE_NONE, PHASE_QUEUE, PHASE_SEND, READY, SERVER
cdef int FULL, HOLD, HIGH_WATER
cdef double LINGER_S


cdef class Driver:
    cdef readonly object host
    cdef Poller _poller
    cdef SharedCounters _counters
    cdef public object service
    cdef readonly Stream client
    cdef readonly bint secure
    cdef public object session
    cdef readonly Stream server
    cdef public int failure
    cdef public bytes set_cookie
    cdef public bint draining
    cdef public double deadline
    cdef public str source
    cdef public int source_port
    cdef readonly bint open
    cdef public object left
    cdef int _phase
    cdef tuple _limits
    cdef object _plan, _pool, _slot, _dialing, _ticket, _released
    cdef list _tried, _splice
    cdef bint _reused, _lingering, _closing
    cdef long long[2] _left
    cdef double _started, _first_byte, _stalled_since
    cdef long long _bytes_in, _bytes_out, _moved

    @cython.locals(size=Py_ssize_t)
    cpdef send(self, int side, bytes data)
    cpdef relay(self, int source, long long count)
    cpdef end(self, int side)
    cpdef hold(self, bint on)
    cpdef decide(self, facts)
    cpdef int connect(self, facts, bint careful) except -1
    cdef int _take(self, pool, facts, bint careful) except -1
    cpdef _granted(self, slot)
    cdef int _attach(self, slot, bint careful) except -1
    cdef _dial(self, slot)
    cpdef dialed(self, stream, error)
    cdef _note_failure(self, error)
    cpdef int retry(self, facts, bint same) except -1
    cpdef answered(self, int status, cookies)
    cpdef release(self, int outcome, bint reusable)
    cdef double _idle_s(self)
    cdef _give_slot(self, outcome)
    cdef _drop_server(self)
    cpdef mirror(self, bytes head, bytes body)
    cpdef phase(self, int phase)
    @cython.locals(now=double, total_s=double)
    cpdef log(self, session)
    cpdef close(self, bint linger)
    cpdef abort(self)
    cpdef drain(self)
    cdef _gone(self)
    cpdef tick(self, double now)
    cdef bint _client_blocks(self)
    @cython.locals(moved=cython.longlong)
    cdef _watch_client(self, double now)
    @cython.locals(phase=int)
    cdef _expire(self)
    cpdef stream_data(self, Stream stream, bytes data)
    @cython.locals(left=cython.longlong, size=Py_ssize_t, target=int)
    cdef _copy(self, int source, bytes data)
    cpdef stream_eof(self, Stream stream)
    cpdef stream_lost(self, Stream stream, error)
    cpdef stream_drained(self, Stream stream)
    @cython.locals(left=cython.longlong)
    cdef _try_splice(self, int source)
    cpdef relay_moved(self, splice, long long count)
    @cython.locals(source=int)
    cpdef relay_done(self, splice)
    cdef _stop_relays(self)
