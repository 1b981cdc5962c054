"""HTTP: the public service and the admin port."""
