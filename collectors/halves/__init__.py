"""Requests and responses that come separately, and those that stay alone."""
