cimport cython

from l7lb.net.access_log cimport AccessLog
from l7lb.pool.pool cimport Pool
from l7lb.routing.table cimport RoutingTable
from l7lb_protocols.facts cimport Facts
from l7lb_protocols.http.answer cimport HttpSettings
from l7lb_protocols.wire cimport Decision


cdef class RoutePlan:
    cdef readonly object route, mirror, retry, edit_request, edit_response
    cdef readonly Pool pool
    cdef readonly Decision fixed
    cdef readonly list pools
    cdef readonly long long shares
    cdef readonly tuple limits
    cdef readonly double server_idle_s

    @cython.locals(decision=Decision)
    cpdef Decision decide(self, Facts facts, random)
    cpdef Pool choose(self, random)
    cpdef Pool choose_for(self, bytes account)
    cdef Decision _plain(self)


cdef class Service


cdef class Latest:
    cdef readonly Service service

    cpdef become(self, Service service)


cdef class Service:
    cdef readonly object spec, plug
    cdef readonly str port
    cdef readonly AccessLog log
    cdef readonly HttpSettings settings
    cdef readonly RoutingTable table
    cdef readonly str name
    cdef readonly Py_ssize_t number
    cdef readonly list plans
    cdef public Latest latest
    cdef readonly tuple limits
