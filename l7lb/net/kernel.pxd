cdef extern from "<sys/epoll.h>" nogil:
    ctypedef union epoll_data_t:
        int fd
    struct epoll_event:
        unsigned int events
        epoll_data_t data
    int epoll_wait(int epoll, epoll_event* events, int most, int timeout_ms)

cdef enum:
    MOST = 256

cpdef object receive(int fd, Py_ssize_t size)
cpdef Py_ssize_t transmit(int fd, bytes data, bint more=*) except -1
cpdef bint is_silent(int fd) except -1
cpdef Py_ssize_t splice(int source, int target, Py_ssize_t count) except -2
cpdef object accept(listener)


cdef class Readiness:
    cdef int _epoll
    cdef epoll_event[MOST] _arrived

    cpdef int wait(self, int most) except -1
    cpdef int fd(self, int number)
    cpdef unsigned int events(self, int number)
