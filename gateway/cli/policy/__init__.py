"""`gateway policy …`: write, check, test and explain a set, without a server."""

from gateway.cli.policy import cases, check, explain, form, new
from gateway.cli.policy.group import app

__all__ = ["app", "cases", "check", "explain", "form", "new"]
