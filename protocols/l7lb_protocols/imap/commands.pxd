from l7lb_protocols.imap.arguments cimport ArgumentParser
from l7lb_protocols.login.lines cimport LineBuffer


cdef class CommandReader:
    cdef readonly object limits
    cdef LineBuffer _lines
    cdef bytes _tag, _name
    cdef ArgumentParser _parser
    cdef Py_ssize_t _literal, _used

    cpdef receive(self, bytes data)
    cpdef bytes rest(self)
    cpdef abandon(self)
    cpdef bytes next_line(self, Py_ssize_t max_bytes)
    cpdef next_command(self)
