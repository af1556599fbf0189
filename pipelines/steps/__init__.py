"""What runs each kind of step, what it is given and what it gives back."""
