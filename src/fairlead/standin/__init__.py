"""A stand-in for a provider: a script's lines over TCP, in every language, with every fault that a wire can have.

It is for tests and rehearsals, of Fairlead and of anything else that asks models. It knows no gateway.
"""
