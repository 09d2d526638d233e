"""The recipe of the two small models that ship with Fairlead: `python -m models` (`make models`) builds them anew.

Not part of the installed package. Needs the extra `train`. Knows the samples of `fairlead.samples`, nothing of the
gateway.
"""
