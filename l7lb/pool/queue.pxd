cdef class WaitingLine:
    cdef readonly Py_ssize_t length
    cdef dict _lanes
    cdef long long _last_number
