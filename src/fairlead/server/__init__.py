"""Steward and workers, and the HTTP endpoints: where bytes become requests and errors become status codes."""
