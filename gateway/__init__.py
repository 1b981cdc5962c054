"""A gateway that shares evidence with national prosecutors: sealed, decided by policy, proved by a ledger."""
