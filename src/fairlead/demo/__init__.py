"""The demonstration: a real `fairlead serve`, real models, the official client, and what is measured on the way.

It does nothing that a user could not do: a configuration file, the admin socket, requests over HTTP. How it is shown
is not known here.
"""
