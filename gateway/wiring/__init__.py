"""The composition root: from an instance folder to a running gateway."""

from gateway.wiring.build import copy_head, open_gateway, publish_head
from gateway.wiring.clock import now, passphrase
from gateway.wiring.database import (
    Report,
    check_database,
    check_new_database,
    grant_database,
    upgrade_database,
)
from gateway.wiring.instance import accept_head, init_instance, packaged, place_of
from gateway.wiring.keyholder import trust_of
from gateway.wiring.serve import caps_of, serve
from gateway.wiring.sets import load_directory, load_policy, load_root, policy_files, reload_sets
from gateway.wiring.vault import rotate_vault, vault_standing

__all__ = [
    "Report",
    "accept_head",
    "caps_of",
    "check_database",
    "check_new_database",
    "copy_head",
    "grant_database",
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
    "publish_head",
    "reload_sets",
    "rotate_vault",
    "serve",
    "trust_of",
    "upgrade_database",
    "vault_standing",
]
