"""The system calls of the hot path, compiled: see kernel.py, whose words hold here too.

The interpreter's lock is kept: the sockets do not block, and giving it up and taking it back
costs more than the call's own work.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.errno cimport EAGAIN, ECONNABORTED, EINTR, errno
from posix.unistd cimport read

import os
from socket import SocketType

cdef extern from "<arpa/inet.h>" nogil:
    const char* inet_ntop(int family, const void* address, char* text, unsigned int size)
    unsigned short ntohs(unsigned short port)

cdef extern from "<netinet/in.h>" nogil:
    enum: AF_INET
    enum: AF_INET6
    enum: SOCK_STREAM
    enum: SOCK_NONBLOCK
    enum: SOCK_CLOEXEC
    struct sockaddr:
        unsigned short sa_family
    struct in_addr:
        pass
    struct in6_addr:
        unsigned char[16] s6_addr
    struct sockaddr_in:
        unsigned short sin_port
        in_addr sin_addr
    struct sockaddr_in6:
        unsigned short sin6_port
        in6_addr sin6_addr
    struct sockaddr_storage:
        pass
    int accept4(int fd, sockaddr* address, unsigned int* length, int flags)

cdef extern from "<sys/socket.h>" nogil:
    enum: MSG_MORE
    enum: MSG_NOSIGNAL
    enum: MSG_PEEK
    enum: MSG_DONTWAIT
    Py_ssize_t send(int fd, const void* data, size_t size, int flags)
    Py_ssize_t recv(int fd, void* data, size_t size, int flags)

cdef extern from "<fcntl.h>" nogil:
    enum: MOVE "SPLICE_F_MOVE"
    enum: NONBLOCK "SPLICE_F_NONBLOCK"
    Py_ssize_t move "splice"(
        int source, void* at, int target, void* to, size_t count, unsigned int flags
    )

cdef enum:
    SIZE = 65536
cdef char[SIZE] buffer


cdef broken():
    raise OSError(errno, os.strerror(errno))


cpdef object receive(int fd, Py_ssize_t size):
    """Up to `size` bytes (at most 64 KiB); empty at the end; None when there is nothing now."""
    cdef Py_ssize_t count = read(fd, buffer, size if size < SIZE else SIZE)
    if count >= 0:
        return PyBytes_FromStringAndSize(buffer, count)
    if errno != EAGAIN and errno != EINTR:
        broken()
    return None


cpdef Py_ssize_t transmit(int fd, bytes data, bint more=False) except -1:
    """How many bytes the kernel took; 0 when it takes none now."""
    cdef Py_ssize_t count = send(
        fd, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), MSG_NOSIGNAL | (MSG_MORE if more else 0)
    )
    if count >= 0:
        return count
    if errno != EAGAIN and errno != EINTR:
        broken()
    return 0


cpdef bint is_silent(int fd) except -1:
    """Neither bytes nor an end nor an error wait on this socket."""
    cdef char octet
    return recv(fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT) < 0 and errno == EAGAIN


cpdef Py_ssize_t splice(int source, int target, Py_ssize_t count) except -2:
    """Bytes moved inside the kernel; 0 at the end of the source, -1 when nothing can be moved
    now."""
    cdef Py_ssize_t moved = move(source, NULL, target, NULL, count, MOVE | NONBLOCK)
    if moved >= 0:
        return moved
    if errno != EAGAIN and errno != EINTR:
        broken()
    return -1


cdef class Readiness:
    """What an epoll set says is ready, without an object for each event."""

    def __init__(self, epoll):
        self._epoll = epoll.fileno()

    cpdef int wait(self, int most) except -1:
        """How many descriptors are ready now, `most` at most (256); `fd` and `events` tell of each
        until the next call."""
        cdef int count = epoll_wait(self._epoll, self._arrived, most if most < MOST else MOST, 0)
        if count < 0 and errno != EINTR:
            broken()
        return count if count > 0 else 0

    cpdef int fd(self, int number):
        return self._arrived[number].data.fd

    cpdef unsigned int events(self, int number):
        return self._arrived[number].events


cpdef object accept(listener):
    """A client's non-blocking socket with its address as text and its port; None: nobody waits."""
    cdef sockaddr_storage room
    cdef unsigned int length = sizeof(room)
    cdef sockaddr* address = <sockaddr*>&room
    cdef int fd = accept4(listener.fileno(), address, &length, SOCK_NONBLOCK | SOCK_CLOEXEC)
    if fd < 0:
        if errno != EAGAIN and errno != EINTR and errno != ECONNABORTED:
            broken()
        return None
    cdef int family = address.sa_family if length >= sizeof(unsigned short) else 0
    return SocketType(family or 1, SOCK_STREAM, 0, fd), peer(address, family)


cdef tuple peer(sockaddr* address, int family):
    cdef char[64] text
    cdef sockaddr_in* four = <sockaddr_in*>address
    cdef sockaddr_in6* six = <sockaddr_in6*>address
    cdef unsigned char* octets
    if family == AF_INET:
        inet_ntop(AF_INET, &four.sin_addr, text, sizeof(text))
        return text.decode("ascii"), ntohs(four.sin_port)
    if family != AF_INET6:
        return "127.0.0.1", 0
    octets = six.sin6_addr.s6_addr
    if octets[10] == 255 and octets[11] == 255 and not any([octets[i] for i in range(10)]):
        inet_ntop(AF_INET, octets + 12, text, sizeof(text))
    else:
        inet_ntop(AF_INET6, octets, text, sizeof(text))
    return text.decode("ascii"), ntohs(six.sin6_port)
