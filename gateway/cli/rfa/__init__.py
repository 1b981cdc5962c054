"""`gateway rfa …`: requests for assistance, as an authority sends them and as officers work on them."""

from gateway.cli.rfa import authority, officer, paper
from gateway.cli.rfa.options import app

__all__ = ["app", "authority", "officer", "paper"]
