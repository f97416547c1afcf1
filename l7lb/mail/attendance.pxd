cdef class Attendance:
    cdef object _chance
    cdef dict _here, _elsewhere, _told, _untold
    cdef public object _lease
    cdef public object _store
    cdef bint _is_blind
    cdef object _some, _urgent
    cdef list _waiting

    cpdef count(self, str name)
    cpdef entered(self, tuple key, str source, limit)
    cpdef leave(self, str name)
    cpdef _add(self, str name, int n)
