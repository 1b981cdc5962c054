"""`gateway policy …`: write, check, test and explain a set, without a server."""

from gateway.cli.policy import analysis, cases, check, explain, form, life, new
from gateway.cli.policy.group import app

__all__ = ["analysis", "app", "cases", "check", "explain", "form", "life", "new"]
