"""Journeys of real clients, in an environment of their own."""
