"""Copies of a module, each with one single check removed.

A check is an `if` that ends in raising: each operand of its `or`, each link of its comparison chain and
each element of its tuple comparison is removed once. A check is also a call whose result nobody
reads, strict decoding (against a lenient one), and the refusal of unknown members.
"""

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass

LENIENT = """
import base64 as _base64, json as _json
def _lenient_b64(text, **_): return _base64.urlsafe_b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4))
def _lenient_json(data): return _json.loads(data)
"""
SWAPS = {"un_b64url": "_lenient_b64", "parse_json": "_lenient_json"}


@dataclass(frozen=True, slots=True)
class Mutant:
    """A changed source, and which check it lacks."""

    check: str
    source: str


def mutants(source: str, functions: frozenset[str] = frozenset()) -> Iterator[Mutant]:
    """Yield every mutant of a module, or of these functions and classes of it."""
    tree = ast.parse(source)
    for place, node in enumerate(ast.walk(tree)):
        owner = _owner(tree, node)
        if functions and owner not in functions:
            continue
        for what, replacement in _changes(node):
            yield Mutant(f"{owner}: {what}", _with(tree, place, replacement))


def _owner(tree: ast.Module, node: ast.AST) -> str:
    for top in tree.body:
        if any(inner is node for inner in ast.walk(top)):
            return getattr(top, "name", "module")
    return "module"


def _with(tree: ast.Module, place: int, replacement: ast.AST) -> str:
    fresh = copy.deepcopy(tree)
    target = list(ast.walk(fresh))[place]
    made = _Swap(target, replacement).visit(fresh)
    body = ast.unparse(ast.fix_missing_locations(made))
    # The lenient helpers come last: the docstring and any __future__ import stay first.
    return body + "\n" + LENIENT


class _Swap(ast.NodeTransformer):
    def __init__(self, target: ast.AST, replacement: ast.AST) -> None:
        self._target, self._replacement = target, replacement

    def visit(self, node: ast.AST) -> ast.AST:
        if node is self._target:
            return self._replacement
        return self.generic_visit(node)


def _changes(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    match node:
        case ast.If(test=test, body=[*_, ast.Raise()], orelse=[]):
            for what, weaker in _weaker(test):
                yield f"if {what}", ast.If(weaker, node.body, []) if weaker else ast.Pass()
        case ast.Expr(value=ast.Call() as call):
            yield f"call {ast.unparse(call)[:60]}", ast.Pass()
        case ast.Call(func=ast.Name(id=name)) if name in SWAPS:
            swapped = ast.Call(ast.Name(SWAPS[name], ast.Load()), node.args, node.keywords)
            yield f"strictness of {ast.unparse(node)}", swapped
        case ast.keyword(arg="forbid_unknown_fields"):
            yield "unknown members", ast.keyword(node.arg, ast.Constant(False))


def _weaker(test: ast.expr) -> Iterator[tuple[str, ast.expr | None]]:
    """Yield the test with each of its parts removed; None where nothing is left of it."""
    match test:
        case ast.BoolOp(op=ast.Or(), values=values):
            for i, value in enumerate(values):
                others = [*values[:i], *values[i + 1 :]]
                for what, weaker in _weaker(value):
                    kept = [*others[:i], weaker, *others[i:]] if weaker else others
                    yield what, kept[0] if len(kept) == 1 else ast.BoolOp(ast.Or(), kept)
        case ast.UnaryOp(op=ast.Not(), operand=ast.Compare(left, ops, rest)) if len(ops) > 1:
            sides = [left, *rest]
            for i, op in enumerate(ops):
                links = [
                    ast.Compare(sides[j], [ops[j]], [sides[j + 1]])
                    for j in range(len(ops))
                    if j != i
                ]
                what = ast.unparse(ast.Compare(sides[i], [op], [sides[i + 1]]))
                both = links[0] if len(links) == 1 else ast.BoolOp(ast.And(), [*links])
                yield f"not {what}", ast.UnaryOp(ast.Not(), both)
        case ast.Compare(ast.Tuple(elts=one), [ast.NotEq()], [ast.Tuple(elts=two)]):
            for i, (a, b) in enumerate(zip(one, two, strict=True)):
                rest_one, rest_two = ([*e[:i], *e[i + 1 :]] for e in (one, two))
                kept_tuple = ast.Compare(
                    ast.Tuple(rest_one, ast.Load()),
                    [ast.NotEq()],
                    [ast.Tuple(rest_two, ast.Load())],
                )
                yield f"{ast.unparse(a)} != {ast.unparse(b)}", kept_tuple
        case _:
            yield ast.unparse(test), None
