"""Recorded traffic of real providers, played through the dialects: `make conformance DATA=DIR`.

What a recording says is read by code of its own here (`facts.py`), which knows JSON and nothing of the product; what
the product makes of it must be the same.
"""
