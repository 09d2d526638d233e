"""Fairlead: an LLM control plane. Applications name a route, never a model.

Importing this package loads nothing else and does nothing.
"""

__version__ = "0.1.0"
