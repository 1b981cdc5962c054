"""What a policy set would change and what it lacks, before anybody puts it into force."""

from collections.abc import Callable

from gateway.exchange.acts import PreviewPolicy
from gateway.kernel.encoding import Json
from gateway.kernel.errors import GatewayError, MalformedError
from gateway.policy import load_files
from gateway.workflows.gateway import Answer, Gateway, Signed, read_act
from gateway.workflows.policy_replay import replay, who_signed_off
from gateway.workflows.policy_sets import Checked, Handed, check, check_next, check_turned


def preview(gateway: Gateway, signed: Signed) -> Answer:
    """Judge what was recorded by a set that is handed in, or by the one in force; record nothing.

    Raises MalformedError with file and line for files that do not load. Whatever else would keep the
    set from coming into force is among the *problems*.
    """
    act = read_act(signed)
    if not isinstance(act, PreviewPolicy):
        raise MalformedError("expected the preview of a policy set", field="/act/type")
    if not act.files:
        turned = replay(gateway, None)
        return {**_nothing(), **turned.to_json(), "problems": []}
    files = {name: text.encode() for name, text in act.files.items()}
    loaded = load_files(files)
    turned = replay(gateway, loaded)
    said = {**_nothing(), **turned.to_json(), "policy": loaded.policy.digest}
    if not act.manifest:
        return {**said, "problems": ["the set is not signed: two authors run gateway policy sign"]}
    handed = Handed(act.manifest.encode(), act.signature.encode(), files)
    agreed = who_signed_off(gateway, handed.digest, turned, frozenset())
    return {**said, "manifest": handed.digest, "signed_off": [*agreed], **_checked(gateway, handed)}


def _nothing() -> Answer:
    return {"number": None, "manifest": None, "policy": None, "signers": [], "signed_off": []}


def _checked(gateway: Gateway, handed: Handed) -> Answer:
    """Return what a signed set says of itself, and everything that would keep it out of force."""
    try:
        checked = check(gateway, handed)
    except GatewayError as error:
        return {"problems": [str(error)]}
    steps: tuple[Callable[[Checked], object], ...] = (
        lambda found: check_next(gateway, found.manifest),
        lambda found: check_turned(gateway, handed, found, None),
    )
    problems: list[Json] = []
    for step in steps:
        try:
            step(checked)
        except GatewayError as error:
            problems.append(str(error))
    return {
        "number": checked.manifest.number,
        "signers": [*sorted(checked.signers)],
        "problems": problems,
    }
