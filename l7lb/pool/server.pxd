cdef class Server:
    cdef public str name
    cdef public Py_ssize_t index
    cdef public object endpoint, health, admin, spec, ramp_since, latency, outlier, idle
    cdef public double health_since, drain_until, ejected_until, full_weight, weight
    cdef public int weight_override, max_connections
    cdef public bint removed, keeps
    cdef public Py_ssize_t sessions, taken
    cdef public bytes cookie
