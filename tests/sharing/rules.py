"""Rules of a test's own, beside the shipped ones: the one place in which a world's policy is edited."""

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


def ask_for(
    world: World,
    terms: str,
    when: str = "{eq: [context.purpose, criminal]}",
    *,
    begun: bool = True,
) -> None:
    """Have the policy folder ask for *terms* (YAML, in one line) from now on; reload it afterwards.

    A gateway that has not *begun* has no set in force, which the next one would supersede.
    """
    path = world.policy / "rules" / FILE
    path.write_text(_RULE.replace("{when}", when).replace("{terms}", terms), encoding="utf-8")
    world.sign_policy(untested=True, again=not begun)


def ask_for_nothing(world: World) -> None:
    """Have the policy folder hold the shipped rules alone; reload it afterwards."""
    (world.policy / "rules" / FILE).unlink()
    world.sign_policy(untested=True)
