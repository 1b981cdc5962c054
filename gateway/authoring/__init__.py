"""Writing policy: what authors use on their own machines. The server imports nothing of it."""
