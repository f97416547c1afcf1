from l7lb.routing.table cimport RoutingTable


cdef class RoutePlan:
    cdef readonly object route, pool, mirror, retry, edit_request, edit_response, fixed
    cdef readonly list pools
    cdef readonly long long shares
    cdef readonly tuple limits
    cdef readonly double server_idle_s

    cpdef decide(self, facts, random)
    cpdef choose(self, random)


cdef class Service:
    cdef readonly object spec, log, settings
    cdef readonly RoutingTable table
    cdef readonly str name
    cdef readonly Py_ssize_t number
    cdef readonly dict plans
    cdef readonly tuple limits
