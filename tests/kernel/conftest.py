"""Takes up a changed copy of a module here too."""

import tests.exchange.conftest  # noqa: F401
