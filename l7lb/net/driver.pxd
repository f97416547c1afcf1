cimport cython

from l7lb.net.poller cimport Poller
from l7lb.net.stream cimport Stream
from l7lb.net.service cimport RoutePlan, Service
from l7lb.pool.pool cimport Pool
from l7lb.pool.shared cimport SharedCounters
from l7lb.pool.slot cimport Slot
from l7lb.routing.table cimport RoutingTable

cdef int CLIENT, FAILED, OUTCOME_CANCELLED, OUTCOME_TIMEOUT, PENDING, PHASE_BODY, PHASE_CONNECT, PHASE_FIRST_BYTE, PHASE_KEEP_ALIVE, PHASE_NONE, PHASE_QUEUE, PHASE_SEND, READY, SERVER
cdef int FULL, HOLD, HIGH_WATER
cdef double LINGER_S


cdef class Driver:
    cdef readonly object host
    cdef Poller _poller
    cdef SharedCounters _counters
    cdef public Service service
    cdef readonly Stream client
    cdef readonly bint secure
    cdef public object session
    cdef readonly Stream server
    cdef public int failure
    cdef public bytes set_cookie
    cdef public bint draining, full
    cdef public double deadline
    cdef public str source
    cdef public int source_port
    cdef readonly bint open
    cdef public object left
    cdef int _phase
    cdef tuple _limits
    cdef RoutePlan _plan
    cdef Pool _pool
    cdef Slot _slot
    cdef object _dialing, _ticket, _released
    cdef list _tried, _splice
    cdef bint _reused, _gave_up, _lingering, _closing
    cdef long long[2] _left
    cdef double _started, _first_byte, _stalled_since
    cdef long long _bytes_in, _bytes_out, _moved

    @cython.locals(size=Py_ssize_t)
    cpdef send(self, int side, bytes data)
    cdef _fill(self)
    cdef _let_client_go(self)
    cpdef relay(self, int source, long long count)
    cpdef end(self, int side)
    cpdef hold(self, bint on)
    @cython.locals(plan=RoutePlan, service=Service)
    cpdef decide(self, facts)
    @cython.locals(plan=RoutePlan, pool=Pool)
    cpdef int connect(self, facts, bint careful) except -1
    @cython.locals(slot=Slot)
    cdef int _take(self, Pool pool, facts, bint careful) except -1
    cpdef _granted(self, slot)
    @cython.locals(stream=Stream)
    cdef int _attach(self, Slot slot, bint careful) except -1
    cdef _dial(self, Slot slot)
    cpdef dialed(self, stream, error)
    cdef _note_failure(self, error)
    cpdef int retry(self, facts, bint same) except -1
    @cython.locals(slot=Slot, now=double)
    cpdef answered(self, int status, cookies)
    @cython.locals(slot=Slot, stream=Stream)
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
    @cython.locals(moved=cython.longlong)
    cdef _watch_client(self, double now)
    @cython.locals(phase=int, server=Stream)
    cdef _expire(self)
    cpdef stream_data(self, Stream stream, bytes data)
    @cython.locals(left=cython.longlong, size=Py_ssize_t, target=int)
    cdef _copy(self, int source, bytes data)
    cpdef stream_eof(self, Stream stream)
    cpdef stream_lost(self, Stream stream, error)
    cdef _count_reset(self)
    cpdef stream_drained(self, Stream stream)
    @cython.locals(was_full=bint, server=Stream)
    cdef _client_drained(self)
    @cython.locals(left=cython.longlong)
    cdef _try_splice(self, int source)
    cpdef relay_moved(self, splice, long long count)
    @cython.locals(source=int)
    cpdef relay_done(self, splice)
    cdef _stop_relays(self)
