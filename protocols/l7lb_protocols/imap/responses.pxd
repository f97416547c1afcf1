from l7lb_protocols.login.lines cimport LineBuffer


cdef class ResponseReader:
    cdef readonly object limits
    cdef LineBuffer _lines
    cdef bytes _raw
    cdef Py_ssize_t _literal

    cpdef receive(self, bytes data)
    cpdef bytes rest(self)
    cpdef next_response(self)
