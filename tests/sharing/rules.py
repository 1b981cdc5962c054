"""Rules of a test's own, beside the shipped ones: the one place in which a world's policy is edited."""

from pathlib import Path

from tests.world import World

FILE = "99-of-this-test.yaml"
_RULE = """rules:
- id: test.terms
  effect: require
  title: A rule of this test
  basis: This test
  when: {when}
  obligations: {terms}
"""


def ask_for(world: World, terms: str, when: str = "{eq: [context.purpose, criminal]}") -> None:
    """Have the policy folder ask for *terms* (YAML, in one line) from now on; reload it afterwards."""
    folder = world.instance / world.config.policy / "rules"
    _write(world, folder / FILE, _RULE.replace("{when}", when).replace("{terms}", terms))


def ask_for_nothing(world: World) -> None:
    """Have the policy folder hold the shipped rules alone; reload it afterwards."""
    (world.instance / world.config.policy / "rules" / FILE).unlink()
    world.sign_policy(untested=True)


def _write(world: World, path: Path, text: str) -> None:
    assert path.is_relative_to(world.instance)
    path.write_text(text, encoding="utf-8")
    world.sign_policy(untested=True)
