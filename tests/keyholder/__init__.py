"""The keyholder: what it believes, what it remembers, and who gets nothing from it."""
