cpdef object receive(int fd, Py_ssize_t size)
cpdef Py_ssize_t transmit(int fd, bytes data) except -1
cpdef object accept(listener)
