"""How the assignment is done right: one file for each stage of the way of the data."""
