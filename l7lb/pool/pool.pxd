cimport cython

from l7lb.pool.budget cimport RetryBudget
from l7lb.pool.server cimport Server
from l7lb.pool.slot cimport Slot


cdef class Pool:
    cdef readonly object env
    cdef public list servers
    cdef public object on_outlier, on_learn, pins, selection, line, spec
    cdef public RetryBudget budget
    cdef public bytes learns
    cdef object _now, _active, _count, _key, _scheduler, _choose
    cdef bint _stale, _is_timed
    cdef double _next_change_s, _round_since_s
    cdef tuple _weights
    cdef dict _by_name

    cpdef take(self, facts, exclude=*)
    @cython.locals(server=Server)
    cdef _try(self, facts, exclude)
    cdef Slot _open(self, Server server, bytes cookie)
    cpdef give_back(self, Server server, outcome)
    cpdef measured(self, Server server, double taken_s)
    cpdef bint is_full(self, Server server) except -1
    cpdef count_request(self)
