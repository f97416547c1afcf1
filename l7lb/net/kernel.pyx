"""The two system calls of the hot path, compiled: see kernel.py, whose words hold here too.

The interpreter's lock is kept: the sockets do not block, and giving it up and taking it back
costs more than the call's own work.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.errno cimport EAGAIN, EINTR, errno
from posix.unistd cimport read, write

import os

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


cpdef Py_ssize_t transmit(int fd, bytes data) except -1:
    """How many bytes the kernel took; 0 when it takes none now."""
    cdef Py_ssize_t count = write(fd, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))
    if count >= 0:
        return count
    if errno != EAGAIN and errno != EINTR:
        broken()
    return 0
