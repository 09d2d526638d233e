"""How busy the harness keeps a target: beside a bare load generator, and beside Inspect AI."""
