"""The same worlds as for RFAs; every test on either database."""

from tests.rfa.conftest import kind, live, template, world

__all__ = ["kind", "live", "template", "world"]
