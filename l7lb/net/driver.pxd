cimport cython

from l7lb.net.dial cimport IdleConnections
from l7lb.net.flow cimport Flow, blocks
from l7lb.net.log_lines cimport Record
from l7lb.net.service cimport RoutePlan, Service
from l7lb.net.stream cimport Stream
from l7lb.pool.pool cimport Pool
from l7lb.pool.server cimport Server
from l7lb.pool.slot cimport Slot
from l7lb.routing.table cimport Candidate, RoutingTable
from l7lb_protocols.facts cimport Facts
from l7lb_protocols.wire cimport Decision, Exchange

cdef int FAILED, OUTCOME_CANCELLED, OUTCOME_TIMEOUT, PENDING, PHASE_BODY, PHASE_CONNECT
cdef int PHASE_FIRST_BYTE, PHASE_KEEP_ALIVE, PHASE_NONE, PHASE_QUEUE, PHASE_SEND, READY
cdef int FULL, HOLD, CLIENT, SERVER, PHASE_TLS
cdef double LINGER_S


cdef class Driver(Flow):
    cdef readonly bint secure
    cdef public str source
    cdef public int source_port
    cdef public object starttls
    cdef RoutePlan _plan
    cdef Pool _pool
    cdef object _dialing, _ticket
    cdef Server _released
    cdef list _tried
    cdef bint _reused, _gave_up
    cdef double _first_byte, _stalled_since
    cdef long long _moved

    @cython.locals(plan=RoutePlan, service=Service, found=Candidate)
    cpdef Decision decide(self, Facts facts)
    @cython.locals(plan=RoutePlan)
    cpdef Pool pool_of(self, Facts facts)
    @cython.locals(plan=RoutePlan, pool=Pool)
    cpdef int connect(self, Facts facts, bint careful) except -1
    @cython.locals(slot=Slot)
    cdef int _take(self, Pool pool, Facts facts, bint careful) except -1
    cpdef _granted(self, slot)
    @cython.locals(stream=Stream, idle=IdleConnections)
    cdef int _attach(self, Slot slot, bint careful) except -1
    cdef _dial(self, Slot slot)
    cpdef dialed(self, stream, error)
    cdef _note_failure(self, error)
    cpdef int retry(self, Facts facts, bint same) except -1
    @cython.locals(slot=Slot, now=double)
    cpdef answered(self, int status, Facts answer)
    @cython.locals(slot=Slot, stream=Stream, idle=IdleConnections)
    cpdef release(self, int outcome, bint reusable)
    @cython.locals(stream=Stream)
    cpdef bint part(self, ended) except -1
    cdef double _idle_s(self)
    cdef _give_slot(self, outcome)
    cdef _drop_server(self)
    @cython.locals(slot=Slot, server=Stream)
    cpdef start_tls(self, int side)
    cpdef _client_secured(self, stream, negotiated)
    cpdef _server_secured(self, stream, negotiated)
    cpdef mirror(self, bytes head, bytes body)
    @cython.locals(now=double, total_s=double, server=Server, service=Service, record=Record)
    cpdef log(self, Exchange session)
    @cython.locals(record=Record)
    cdef Record _record(self, Exchange session, Server server)
    cpdef close(self, bint linger)
    cpdef abort(self)
    cpdef drain(self)
    cpdef tick(self, double now)
    @cython.locals(moved=cython.longlong)
    cdef _watch_client(self, double now)
    @cython.locals(phase=int, server=Stream)
    cdef _expire(self)
