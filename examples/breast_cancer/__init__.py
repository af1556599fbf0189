"""A model of real measurements, its server, its traffic, and the configuration that watches it: what the demo runs."""

MODEL = "breast-cancer"
