"""Trials: a real server under load, faults and violence, and whether its books and its memory stand it."""
