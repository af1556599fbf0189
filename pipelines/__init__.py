"""Runs monitors over stored predictions: plans windows, runs steps over each, keeps and shows what they find."""
