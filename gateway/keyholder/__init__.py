"""Custody of the vault's identities."""
