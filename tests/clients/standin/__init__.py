"""Stands in for providers of every language: it behaves like a model, over real HTTP, and a real gateway asks it.

`mind.py` is what it says to what it is asked, `signing.py` how it signs its reasoning and what it takes back,
`doors.py` the languages and their paths, `__main__.py` the process that opens all of it.
"""
