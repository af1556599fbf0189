"""What monitors leave behind, and what they go on from."""
