"""What exists in the world outside: so far what models cost, in dated rows with a source. It knows no caller."""
