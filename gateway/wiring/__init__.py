"""The composition root: from an instance folder to a running gateway."""

from gateway.wiring.build import copy_head, open_gateway
from gateway.wiring.clock import now, passphrase
from gateway.wiring.instance import accept_head, init_instance, packaged, place_of
from gateway.wiring.serve import caps_of, serve
from gateway.wiring.sets import load_directory, load_policy, load_root, policy_files, reload_sets

__all__ = [
    "accept_head",
    "caps_of",
    "copy_head",
    "init_instance",
    "load_directory",
    "load_policy",
    "load_root",
    "now",
    "open_gateway",
    "packaged",
    "passphrase",
    "place_of",
    "policy_files",
    "reload_sets",
    "serve",
]
