"""Claims as somebody's own class."""

cdef object build_model(object model, bytes payload, dict claims)
