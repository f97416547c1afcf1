from l7lb.net.driver cimport Driver
from l7lb.pool.pool cimport Pool
from l7lb_protocols.facts cimport Facts
from l7lb_protocols.login.client_side cimport ClientSide
from l7lb_protocols.wire cimport Session


cdef class Entry(Session):
    cdef readonly Driver driver
    cdef readonly object dialect, desk, office, options
    cdef public str source
    cdef public tuple key
    cdef public object assignment
    cdef public bint is_fixed
    cdef public bytes sni
    cdef ClientSide _client
    cdef Pool _pool
    cdef Facts _facts
    cdef object _lock, _task, _login
    cdef str _place
    cdef bint _is_over

    cpdef _heard(self, list events)
    cpdef _finish(self, int outcome)
    cpdef bint _enter_now(self, said) except -1
    cpdef _route(self, identity, said)
    cpdef _seat(self, tuple key, assignment, identity)
    cpdef _connect(self)
    cpdef _give_back(self)
