"""What is read back for people: predictions and all that is known of them."""
