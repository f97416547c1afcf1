cdef class Facts:
    cdef public bytes host, path, query, method, sni, tls_name, account, recipient, server
    cdef public str source

    cpdef bytes header(self, bytes name)
    cpdef bytes cookie(self, bytes name)
    cpdef bytes argument(self, bytes name)
    cpdef tuple attribute(self, bytes name)
    cpdef Facts detach(self)


cdef class PlainFacts(Facts):
    cdef public dict headers, cookies, arguments, attributes
