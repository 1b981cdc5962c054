"""Lets the attack tests run against a changed copy of a module, to see that they notice.

GATEWAY_MUTANT is `module=file`; the file is loaded in place of the module before anything imports it.
"""

import importlib
import importlib.util
import os
import sys

MUTANT = os.environ.get("GATEWAY_MUTANT", "")


def load_in_place(name: str, file: str) -> None:
    """Load *file* as the module *name*, also as the attribute of its package."""
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    package, _, short = name.rpartition(".")
    parent = importlib.import_module(package)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    setattr(parent, short, module)


if MUTANT:
    load_in_place(*MUTANT.split("=", 1))
