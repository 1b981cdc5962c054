"""The desk: derivatives of real files, made in the tests."""
