"""Bytes: the upstream connection pool with its deadlines, and server-sent events. It knows no language of models."""
