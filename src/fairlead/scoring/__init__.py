"""Scorers: pure functions from an answer and what is right to a number and reasons. Knows no model and no gateway."""
