"""A whole class: layouts of bulk downloads, a queue that survives, a gradebook, exports."""
