cimport cython

from l7lb.pool.budget cimport RetryBudget
from l7lb.pool.queue cimport WaitingLine
from l7lb.pool.server cimport Server
from l7lb.pool.slot cimport Home, Slot
from l7lb.ports cimport Counters
from l7lb_protocols.facts cimport Facts


cdef object OK, CANCELLED


cdef class Pool(Home):
    cdef readonly object env
    cdef public list servers
    cdef public object on_outlier, on_learn, pins, selection, spec
    cdef readonly WaitingLine line
    cdef public RetryBudget budget
    cdef public bytes learns
    cdef readonly str name
    cdef Counters _counters
    cdef object _now, _key, _scheduler, _choose, _proposer
    cdef bint _stale, _is_timed
    cdef double _next_change_s, _round_since_s
    cdef tuple _weights
    cdef dict _by_name

    cpdef Slot take(self, Facts facts, exclude=*)
    @cython.locals(server=Server)
    cdef Slot _try(self, Facts facts, exclude)
    cdef Slot _given(self, bytes name, exclude)
    cdef Slot _open(self, Server server, bytes cookie)
    cpdef give_back(self, Server server, outcome)
    @cython.locals(now_s=double)
    cpdef measured(self, Server server, double taken_s)
    cpdef bint is_full(self, Server server) except -1
    cpdef count_request(self)
