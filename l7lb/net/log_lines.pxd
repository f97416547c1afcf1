cimport cython

from l7lb.net.line_buffer cimport LineBuffer


@cython.freelist(16)
cdef class Record:
    cdef public double time_s, total_s, first_s
    cdef public str source, service, pool, server, flags
    cdef public bytes method, target, host, request_id, agent, referer
    cdef public int minor, status, retries
    cdef public long long bytes_out


cdef class Stamps:
    cdef object _shown
    cdef long long _second
    cdef bytes _text

    cdef bytes text(self, long long second)


cdef Stamps ISO, APACHE

@cython.locals(second=cython.longlong, thousandth=int)
cpdef write_json(LineBuffer out, Record record)
cdef _json_rest(LineBuffer out, Record record)
cdef _json_text(LineBuffer out, bytes text)
cdef _json_name(LineBuffer out, str name)
cdef _json_value(LineBuffer out, bytes text)
cpdef write_combined(LineBuffer out, Record record)
cdef _quoted(LineBuffer out, bytes text)
