cdef class RetryBudget:
    cdef public object spec
    cdef public int refused
    cdef int _workers, _bucket
    cdef long long _second
    cdef list _requests, _retries

    cpdef count_request(self)
