cdef class Counters:
    cpdef long long active(self, Py_ssize_t index) except? -1
    cpdef add(self, Py_ssize_t index, long long delta)
