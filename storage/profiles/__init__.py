"""Windows as merges: states of each minute, hour and day of a model, made of its predictions and merged again."""
