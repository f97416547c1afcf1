cimport cython

from l7lb_protocols.facts cimport Facts


cdef class ValueTest:
    cdef readonly int kind
    cdef readonly bytes name
    cdef readonly bytes value
    cdef readonly object pattern
    @cython.locals(value=bytes)
    cpdef bint holds(self, Facts facts) except -1


cdef class Candidate:
    cdef readonly object route
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
    cpdef object add(self, object route)

    @cython.locals(candidate=Candidate)
    cdef object find(self, bytes path, Facts facts)

    @cython.locals(lengths=bytes, known=Py_ssize_t, end=Py_ssize_t)
    cdef object find_prefix(self, bytes path, Facts facts)


cdef class RoutingTable:
    cdef readonly tuple routes
    cdef dict hosts
    cdef dict suffixes
    cdef bytes suffix_lengths
    cdef Node any_host
    cdef Node node(self, object entry)

    @cython.locals(path=bytes, host=bytes, node=Node)
    cpdef object match(self, Facts facts)

    @cython.locals(lengths=bytes, size=Py_ssize_t, at=Py_ssize_t, node=Node)
    cdef object match_suffix(self, bytes host, bytes path, Facts facts)


@cython.locals(candidate=Candidate)
cdef object first(list candidates, Facts facts)

cdef bytes with_length(bytes lengths, Py_ssize_t length)
