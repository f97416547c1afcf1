"""Bytes that grow at their end, compiled: see line_buffer.py, whose words hold here too."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy

cdef extern from "Python.h":
    bint PyUnicode_IS_COMPACT_ASCII(object text)
    const char* PyUnicode_AsUTF8AndSize(object text, Py_ssize_t* size) except NULL

PLAIN = bytes([byte for byte in range(0x20, 0x7F) if byte not in b'"\\'])

cdef enum:
    ROOM = 131072
    DIGITS = 24

cdef unsigned char[256] plain
for _octet in range(256):
    plain[_octet] = _octet in PLAIN


cdef class LineBuffer:
    def __cinit__(self):
        self._data = <char*>malloc(ROOM)
        if self._data is NULL:
            raise MemoryError
        self._room = ROOM

    def __dealloc__(self):
        free(self._data)

    cdef int _reserve(self, Py_ssize_t more) except -1:
        cdef Py_ssize_t room = self._room
        cdef char* data
        if self.size + more > room:
            while room < self.size + more:
                room *= 2
            data = <char*>realloc(self._data, room)
            if data is NULL:
                raise MemoryError
            self._data = data
            self._room = room
        return 0

    cdef int _put(self, const char* data, Py_ssize_t size) except -1:
        self._reserve(size)
        memcpy(self._data + self.size, data, size)
        self.size += size
        return 0

    cdef bint _put_plain(self, const char* data, Py_ssize_t size) except -1:
        cdef Py_ssize_t i
        cdef unsigned char all_plain = 1
        for i in range(size):
            all_plain &= plain[<unsigned char>data[i]]
        if not all_plain:
            return False
        self._put(data, size)
        return True

    cpdef int add(self, bytes data) except -1:
        self._put(PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))
        return 0

    cpdef bint add_plain(self, bytes data) except -1:
        return self._put_plain(PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))

    cpdef bint add_name(self, str text) except -1:
        cdef Py_ssize_t size
        cdef const char* data
        if not PyUnicode_IS_COMPACT_ASCII(text):
            return False
        data = PyUnicode_AsUTF8AndSize(text, &size)
        return self._put_plain(data, size)

    cpdef int add_number(self, long long number) except -1:
        cdef char[DIGITS] digits
        cdef int at = DIGITS
        cdef unsigned long long left = -<unsigned long long>number if number < 0 else number
        while True:
            at -= 1
            digits[at] = 48 + left % 10
            left //= 10
            if left == 0:
                break
        if number < 0:
            at -= 1
            digits[at] = 45
        self._put(digits + at, DIGITS - at)
        return 0

    cpdef int add_seconds(self, double seconds) except -1:
        cdef unsigned long long us = <unsigned long long>(seconds * 1e6 + 0.5)
        cdef unsigned long long part = us % 1000000
        cdef char[7] digits
        cdef int at
        self.add_number(us // 1000000)
        digits[0] = 46
        for at in range(6, 0, -1):
            digits[at] = 48 + part % 10
            part //= 10
        self._put(digits, 7)
        return 0

    cpdef bytes take(self):
        cdef bytes data = PyBytes_FromStringAndSize(self._data, self.size)
        self.size = 0
        if self._room > 4 * ROOM:
            free(self._data)
            self._data = <char*>malloc(ROOM)
            if self._data is NULL:
                self._room = 0
                raise MemoryError
            self._room = ROOM
        return data
