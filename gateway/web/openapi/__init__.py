"""The OpenAPI document of the public API, made from the routes and from the structures they decode."""
