"""One file per wire format: URL, credential and quirks around a dialect. They fill the gateway's port `Backend`.

A backend knows its account, not who asks, what it costs or what is tried next.
"""
