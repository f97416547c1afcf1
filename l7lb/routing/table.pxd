cdef class ValueTest:
    cdef readonly int kind
    cdef readonly bytes name
    cdef readonly object value
    cdef readonly object pattern
    cdef bint holds(self, object facts) except -1


cdef class Candidate:
    cdef readonly object route
    cdef readonly object expression
    cdef readonly frozenset methods
    cdef readonly tuple values
    cdef readonly tuple constraints
    cpdef bint holds(self, object facts) except -1


cdef class Node:
    cdef readonly dict exact
    cdef readonly dict prefixes
    cdef readonly bytes prefix_lengths
    cdef readonly list expressions
    cdef readonly list others
    cpdef add(self, object route)
    cdef object find(self, bytes path, object facts)
    cdef object find_prefix(self, bytes path, object facts)


cdef class RoutingTable:
    cdef readonly tuple routes
    cdef dict hosts
    cdef dict suffixes
    cdef bytes suffix_lengths
    cdef Node any_host
    cpdef object match(self, object facts)
    cdef object match_suffix(self, bytes host, bytes path, object facts)


cdef object first(list candidates, object facts)
cdef bytes with_length(bytes lengths, Py_ssize_t length)
