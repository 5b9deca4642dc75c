"""Claims as somebody's own class."""

cpdef object build_model(object model, bytes payload, dict claims)
