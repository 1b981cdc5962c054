"""The life of envelope keys: introduced, rotated, retired, revoked; shares wrapped anew."""
