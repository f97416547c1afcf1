cimport cython

from l7lb_protocols.facts cimport Facts

ctypedef const unsigned char* octets

cdef int HEADER, QUERY, COOKIE, SLASH


cdef class ValueTest:
    cdef readonly int kind
    cdef readonly bytes name
    cdef readonly bytes value
    cdef readonly object pattern
    @cython.locals(value=bytes)
    cpdef bint holds(self, Facts facts) except -1


cdef class Candidate:
    cdef readonly object route
    cdef readonly Py_ssize_t position
    cdef readonly object expression
    cdef readonly frozenset methods
    cdef readonly tuple values
    cdef readonly tuple constraints

    @cython.locals(test=ValueTest)
    cpdef bint holds(self, Facts facts) except -1


cdef class Node:
    cdef readonly dict exact
    cdef readonly dict prefixes
    cdef readonly bytes prefix_lengths
    cdef readonly list expressions
    cdef readonly list others
    cpdef object add(self, Candidate candidate)

    @cython.locals(candidate=Candidate, found=Candidate)
    cdef Candidate find(self, bytes path, Facts facts)

    @cython.locals(p=octets, lengths=octets, end=Py_ssize_t, found=Candidate)
    cdef Candidate find_prefix(self, bytes path, Facts facts)


cdef class RoutingTable:
    cdef readonly tuple routes
    cdef dict hosts
    cdef dict suffixes
    cdef bytes suffix_lengths
    cdef Node any_host
    cdef Node node(self, object entry)

    @cython.locals(found=Candidate)
    cpdef object match(self, Facts facts)

    @cython.locals(path=bytes, host=bytes, node=Node, found=Candidate)
    cpdef Candidate find(self, Facts facts)

    @cython.locals(lengths=bytes, size=Py_ssize_t, at=Py_ssize_t, node=Node, found=Candidate)
    cdef Candidate match_suffix(self, bytes host, bytes path, Facts facts)


@cython.locals(candidate=Candidate)
cdef Candidate first(list candidates, Facts facts)

cdef bytes with_length(bytes lengths, Py_ssize_t length)
