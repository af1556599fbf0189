"""Which windows are due, what they are compared with and what they are read from."""
