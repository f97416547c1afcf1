cimport cython

from l7lb.net.poller cimport Poller
from l7lb.net.service cimport Service
from l7lb.net.stream cimport Stream
from l7lb.pool.shared cimport SharedCounters
from l7lb.pool.slot cimport Slot
from l7lb_protocols.wire cimport Session, Wire

cdef int CLIENT, SERVER, PHASE_NONE, FULL, HOLD
cdef Py_ssize_t MUCH, SPLICE_MIN


cdef class Flow(Wire):
    cdef readonly object host
    cdef public Service service
    cdef readonly Stream client
    cdef readonly Stream server
    cdef public Session session
    cdef readonly bint open
    cdef public object left
    cdef public double deadline
    cdef Poller _poller
    cdef SharedCounters _counters
    cdef int _phase
    cdef tuple _limits
    cdef Slot _slot
    cdef long long[2] _left
    cdef list _splice
    cdef bint _is_splicing, _lingering, _closing
    cdef double _started, _asked_s
    cdef long long _bytes_in, _bytes_out

    cpdef send(self, int side, bytes data)
    cdef _fill(self)
    cdef _let_client_go(self)
    cpdef relay(self, int source, long long count)
    cpdef end(self, int side)
    cpdef hold(self, bint on)
    cpdef phase(self, int phase)
    cpdef double since_asked_s(self)
    cpdef long long moved(self) except -1
    @cython.locals(session=Session)
    cpdef stream_data(self, Stream stream, bytes data)
    @cython.locals(left=cython.longlong, target=int, session=Session)
    cdef _copy(self, int source, bytes data)
    @cython.locals(session=Session)
    cpdef stream_eof(self, Stream stream)
    @cython.locals(session=Session)
    cpdef stream_lost(self, Stream stream, error)
    cdef _gone(self)
    cdef _count_reset(self)
    cpdef stream_drained(self, Stream stream)
    @cython.locals(was_full=bint, server=Stream)
    cdef _client_drained(self)
    @cython.locals(left=cython.longlong)
    cdef _try_splice(self, int source)
    cpdef relay_moved(self, relay, long long count)
    @cython.locals(source=int)
    cpdef relay_done(self, relay)
    cdef _stop_relays(self)


cpdef bint blocks(stream) except -1
