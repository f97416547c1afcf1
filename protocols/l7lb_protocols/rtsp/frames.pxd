cimport cython

from l7lb_protocols.http.fields cimport octets

cdef Py_ssize_t MARK, HEAD_BYTES


@cython.locals(p=octets, last=Py_ssize_t)
cpdef Py_ssize_t run_end(bytes data, Py_ssize_t at) except -1
