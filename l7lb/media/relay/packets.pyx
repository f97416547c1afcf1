"""The relay's data path, compiled: see packets.py, whose words hold here too.

Many datagrams are one system call each way (recvmmsg, sendmmsg). Where the kernel can, a run of
datagrams of one size leaves as one piece that it cuts again (UDP_SEGMENT), and comes as one
(UDP_GRO), so that the way through its network code is paid once for all of them.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.errno cimport EAGAIN, EINTR, EINVAL, EIO, EMSGSIZE, ENOBUFS, EOPNOTSUPP, errno
from libc.string cimport memcmp, memcpy, memset
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, nanosleep, timespec
from posix.unistd cimport close

import os
import select
import socket

cdef enum:
    MOST = 64            # BATCH, and READY
    ROOM = 65600         # a datagram; not a power of two, or all would fall on the same cache lines
    CONTROL = 64         # one int of ancillary data, with room to spare
    RUN_BYTES = 65000    # below what one IP packet may hold
    PIECES = 64          # UDP_MAX_SEGMENTS of older kernels
    A_FEW = 8            # FEW
    A_LOT = 32           # MANY

BATCH = 64
READY = 64
DATAGRAM_BYTES = 65535
REST_S = (0.00025, 0.006)
FEW, MANY = A_FEW, A_LOT

cdef union Address:
    unsigned short family
    sockaddr_in four
    sockaddr_in6 six

# One set of buffers for the process: it has one thread, and a batch ends before the next begins.
cdef char[MOST * ROOM] rooms
cdef Address[MOST] sources
cdef iovec[MOST] taken
cdef mmsghdr[MOST] incoming
cdef char[MOST * CONTROL] heard

cdef iovec[MOST] given
cdef mmsghdr[MOST] outgoing
cdef char[MOST * CONTROL] told
cdef int[MOST] pieces    # datagrams in each outgoing message
cdef int[MOST] first     # its first iovec
cdef unsigned short[MOST] sizes    # of its datagrams; the last may be shorter

cdef size_t DATAGRAM = 65535


cdef void prepare() noexcept:
    cdef int i
    memset(incoming, 0, sizeof(incoming))
    for i in range(MOST):
        taken[i].iov_base = rooms + i * ROOM
        taken[i].iov_len = DATAGRAM
        incoming[i].msg_hdr.msg_iov = &taken[i]
        incoming[i].msg_hdr.msg_iovlen = 1
        incoming[i].msg_hdr.msg_name = &sources[i]
        incoming[i].msg_hdr.msg_control = heard + i * CONTROL
    renew(MOST)


cdef void renew(int count) noexcept:
    """What the kernel has written into so many headers; the others are as they were."""
    cdef int i
    for i in range(count):
        incoming[i].msg_hdr.msg_namelen = sizeof(Address)
        incoming[i].msg_hdr.msg_controllen = CONTROL


prepare()


cdef double monotonic() noexcept:
    cdef timespec time
    clock_gettime(CLOCK_MONOTONIC, &time)
    return time.tv_sec + time.tv_nsec / 1e9


cdef int segment_size(msghdr* message) noexcept:
    """What the kernel joined was cut in pieces of this size; 0: one datagram."""
    cdef cmsghdr* part = CMSG_FIRSTHDR(message)
    while part != NULL:
        if part.cmsg_level == SOL_UDP and part.cmsg_type == UDP_GRO:
            return (<int*>CMSG_DATA(part))[0]
        part = CMSG_NXTHDR(message, part)
    return 0


cdef class Side:
    """One socket, the one peer behind it, and the other side, to which its packets go."""

    cdef readonly int fd
    cdef readonly str host
    cdef readonly bint latched, reports
    cdef public bytes report
    cdef public Side other
    cdef public unsigned long long packets, octets, lost, strangers
    cdef public double last_s
    cdef Address _peer
    cdef unsigned int _length
    cdef bint _segments

    def __init__(self, int fd, str host, bint reports):
        cdef bytes packed
        cdef int on = 1
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        packed = socket.inet_pton(family, host)
        self.host = socket.inet_ntop(family, packed)
        self.fd = fd
        self.reports = reports
        self.report = b""
        memset(&self._peer, 0, sizeof(self._peer))
        if family == AF_INET6:
            self._peer.six.sin6_family = AF_INET6
            memcpy(self._peer.six.sin6_addr.s6_addr, <char*>packed, 16)
            self._length = sizeof(sockaddr_in6)
        else:
            self._peer.four.sin_family = AF_INET
            self._peer.four.sin_addr.s_addr = (<unsigned int*><char*>packed)[0]
            self._length = sizeof(sockaddr_in)
        os.set_blocking(fd, False)
        self._segments = not reports
        if not reports:
            setsockopt(fd, SOL_UDP, UDP_GRO, &on, sizeof(on))  # older kernels: one by one

    @property
    def port(self):
        return ntohs(self._port())

    cdef unsigned short _port(self) noexcept:
        """In network order; it stands at the same place for both families."""
        return self._peer.four.sin_port

    def aim(self, int port):
        """The peer says that it is there; what has been latched holds against it."""
        if not self.latched:
            self._peer.four.sin_port = htons(port)

    def close(self):
        if self.fd >= 0:
            close(self.fd)
            self.fd = -1

    cdef bint _is_peer(self, Address* source) noexcept:
        if source.family != self._peer.family:
            return False
        if self.latched and source.four.sin_port != self._peer.four.sin_port:
            return False
        if source.family == AF_INET:
            return source.four.sin_addr.s_addr == self._peer.four.sin_addr.s_addr
        return memcmp(source.six.sin6_addr.s6_addr, self._peer.six.sin6_addr.s6_addr, 16) == 0

    cdef int move(self, double now_s):
        """One batch, to the other side; how many datagrams were there."""
        cdef int i, count, size, kept = 0, last = -1
        cdef unsigned int length
        count = recvmmsg(self.fd, incoming, MOST, MSG_DONTWAIT, NULL)
        if count <= 0:
            return 0
        outbox.begin(self.other)
        for i in range(count):
            length = incoming[i].msg_len
            size = segment_size(&incoming[i].msg_hdr)
            if size <= 0 or <unsigned int>size >= length:
                size = 0
            if not self._is_peer(&sources[i]):
                self.strangers += (length + size - 1) // size if size else 1
                continue
            if not self.latched:
                self._peer.four.sin_port = sources[i].four.sin_port
                self.latched = True
            self.packets += (length + size - 1) // size if size else 1
            self.octets += length
            last = i
            outbox.add(i, length, size)
        if last >= 0:
            self.last_s = now_s
            if self.reports:
                self.report = PyBytes_FromStringAndSize(rooms + last * ROOM, incoming[last].msg_len)
        self.lost += outbox.send()
        renew(count)
        return count


cdef class Outbox:
    """The batch on its way out: messages, each one datagram or a run of them."""

    cdef Side _side
    cdef int _messages, _parts, _piece
    cdef size_t _bytes
    cdef bint _is_open
    cdef unsigned long long _lost

    cdef void begin(self, Side side):
        self._side = side
        self._messages = self._parts = 0
        self._is_open = False
        self._lost = 0

    cdef void add(self, int number, unsigned int length, int size):
        """The datagram in this room, or the run of datagrams of `size` octets that is there."""
        cdef int count = (length + size - 1) // size if size else 1
        if self._side is None or not self._side._port():
            self._lost += count
            return
        given[self._parts].iov_base = rooms + number * ROOM
        given[self._parts].iov_len = length
        self._parts += 1
        if not size and self._joins(length):
            pieces[self._messages - 1] += 1
            self._bytes += length
            self._is_open = length == <unsigned int>self._piece  # a shorter one is the last
            return
        pieces[self._messages] = count
        first[self._messages] = self._parts - 1
        self._piece = size if size else length
        self._bytes = length
        self._is_open = not size and length > 0
        self._messages += 1
        sizes[self._messages - 1] = self._piece

    cdef bint _joins(self, unsigned int length):
        return (
            self._is_open
            and self._side._segments
            and 0 < length <= <unsigned int>self._piece
            and pieces[self._messages - 1] < PIECES
            and self._bytes + length <= RUN_BYTES
        )

    cdef unsigned long long send(self):
        """How many datagrams were lost."""
        cdef int i, done = 0, result
        for i in range(self._messages):
            self._write(i)
        while done < self._messages:
            result = sendmmsg(
                self._side.fd, &outgoing[done], self._messages - done, MSG_DONTWAIT | MSG_NOSIGNAL
            )
            if result > 0:
                done += result
            elif errno == EINTR:
                continue
            elif errno == EAGAIN or errno == ENOBUFS:
                for i in range(done, self._messages):
                    self._lost += pieces[i]
                break
            else:
                self._lost += self._one_by_one(done)
                done += 1
        self._side = None
        return self._lost

    cdef void _write(self, int number) noexcept:
        """The header of one message."""
        cdef msghdr* message = &outgoing[number].msg_hdr
        cdef cmsghdr* part
        cdef int end = first[number + 1] if number + 1 < self._messages else self._parts
        message.msg_name = &self._side._peer
        message.msg_namelen = self._side._length
        message.msg_iov = &given[first[number]]
        message.msg_iovlen = end - first[number]
        message.msg_flags = 0
        message.msg_control = NULL
        message.msg_controllen = 0
        if pieces[number] > 1:
            message.msg_control = told + number * CONTROL
            message.msg_controllen = CMSG_SPACE(sizeof(unsigned short))
            part = CMSG_FIRSTHDR(message)
            part.cmsg_level = SOL_UDP
            part.cmsg_type = UDP_SEGMENT
            part.cmsg_len = CMSG_LEN(sizeof(unsigned short))
            (<unsigned short*>CMSG_DATA(part))[0] = sizes[number]

    cdef int _one_by_one(self, int number):
        """A run that this way out does not take is sent in its datagrams; how many were lost."""
        cdef int lost = 0, i
        cdef size_t at, size
        cdef msghdr* message = &outgoing[number].msg_hdr
        cdef mmsghdr single
        cdef iovec part
        if pieces[number] == 1:
            return 1
        if errno == EINVAL or errno == EIO or errno == EMSGSIZE or errno == EOPNOTSUPP:
            self._side._segments = False
        memset(&single, 0, sizeof(single))
        single.msg_hdr.msg_name = message.msg_name
        single.msg_hdr.msg_namelen = message.msg_namelen
        single.msg_hdr.msg_iov = &part
        single.msg_hdr.msg_iovlen = 1
        for i in range(<int>message.msg_iovlen):
            at = 0
            while at < message.msg_iov[i].iov_len:
                size = message.msg_iov[i].iov_len - at
                if size > <size_t>sizes[number]:
                    size = sizes[number]
                part.iov_base = <char*>message.msg_iov[i].iov_base + at
                part.iov_len = size
                if sendmmsg(self._side.fd, &single, 1, MSG_DONTWAIT | MSG_NOSIGNAL) != 1:
                    lost += 1
                at += size
        return lost


cdef Outbox outbox = Outbox()


cdef class Pace:
    """How long to rest after a turn."""

    cdef double _longest_s, _shortest_s, _rest_s

    def __init__(self, double longest_s=REST_S[1]):
        self._longest_s = longest_s
        self._shortest_s = min(<double>REST_S[0], longest_s)
        self._rest_s = self._shortest_s

    cpdef double after(self, int moved, int largest):
        """`moved` datagrams in the turn, `largest` of them from one socket. 0: wait for more."""
        if not moved:
            return 0.0
        if largest > A_LOT:
            self._rest_s = max(self._rest_s / 2, self._shortest_s)
        elif largest < A_FEW:
            self._rest_s = min(self._rest_s * 2, self._longest_s)
        return self._rest_s


cdef class Mover:
    """Moves what is ready. Other descriptors may stand in the same set; it tells of them."""

    cdef object _epoll
    cdef int _set
    cdef dict _sides
    cdef Pace _pace
    cdef bint _interrupted
    cdef public list noted
    cdef readonly int moved, largest
    cdef epoll_event[MOST] _arrived

    def __init__(self, epoll, double rest_s=REST_S[1]):
        self._epoll = epoll
        self._set = epoll.fileno()
        self._sides = {}
        self._pace = Pace(rest_s)
        self.noted = []

    def watch(self, Side side):
        """Raises OSError."""
        self._epoll.register(side.fd, select.EPOLLIN)
        self._sides[side.fd] = side

    def forget(self, Side side):
        """Before it is closed, and never inside a turn."""
        if self._sides.pop(side.fd, None) is not None:
            self._epoll.unregister(side.fd)

    def work(self, double seconds):
        """Turn after turn with rests between, until somebody else has something to do."""
        cdef double end_s = monotonic() + seconds, rest_s = 0.0, now_s
        cdef timespec pause
        cdef list foreign
        while True:
            now_s = monotonic()
            if rest_s > 0.0:
                pause.tv_sec = <long>rest_s
                pause.tv_nsec = <long>((rest_s - pause.tv_sec) * 1e9)
                with nogil:
                    nanosleep(&pause, NULL)
                foreign = self.turn(0.0)
            else:
                foreign = self.turn(end_s - now_s if end_s > now_s else 0.0)
            if foreign or self.noted or self._interrupted or monotonic() >= end_s:
                return foreign
            rest_s = self._pace.after(self.moved, self.largest)

    cpdef list turn(self, double timeout_s):
        """Wait, move one batch of each socket that is ready, and return the descriptors that are
        no side's."""
        cdef int timeout_ms = <int>(timeout_s * 1000 + 0.999), count, i
        cdef double now_s
        cdef Side side
        cdef list foreign = []
        self.moved = self.largest = 0
        self._interrupted = False
        with nogil:
            count = epoll_wait(self._set, self._arrived, MOST, timeout_ms)
        if count < 0:
            if errno != EINTR:
                raise OSError(errno, os.strerror(errno))
            self._interrupted = True
            return foreign
        if count == 0:
            return foreign
        now_s = monotonic()
        for i in range(count):
            side = self._sides.get(self._arrived[i].data.fd)
            if side is None:
                foreign.append(self._arrived[i].data.fd)
            else:
                self._move(side, now_s)
        return foreign

    cdef void _move(self, Side side, double now_s):
        cdef bint was_latched = side.latched
        cdef unsigned long long packets = side.packets
        cdef int moved = side.move(now_s)
        if side.latched != was_latched or (side.reports and side.packets > packets):
            self.noted.append(side)
        self.moved += moved
        if moved > self.largest:
            self.largest = moved
