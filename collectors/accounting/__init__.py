"""What became of everything that was received."""
