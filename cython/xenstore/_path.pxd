cdef bint valid_path(const char *path, Py_ssize_t size) noexcept
cdef Py_ssize_t home_prefix(const char *path, Py_ssize_t size) noexcept
