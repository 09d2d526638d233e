"""What the locks hold, looked at from outside: vulnerabilities, licences, a bill of materials. `make audit` runs it."""
