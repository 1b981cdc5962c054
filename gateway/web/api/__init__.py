"""The routes of the public service, one module per resource."""
