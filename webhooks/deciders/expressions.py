"""Compiles and evaluates JMESPath within limits on size, depth and work. It never sees a row or a request."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jmespath
import orjson
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions
from jmespath.visitor import Options, TreeInterpreter

MAX_LENGTH = 4_000  # characters; longer ones are programs
MAX_DEPTH = 100  # of the parsed tree; each level costs Python a few frames
# Steps taken and values walked in one evaluation; about half a second. Without it `[@,@]|[@,@]|…` ends in
# a value with 2 ** n leaves, and one line of a subscription would take the dispatcher's memory.
MAX_WORK = 2_000_000
TEXT_PER_STEP = 32  # characters copied in the time of one step; so no text grows beyond 64 million
CACHED = 4_096

Node = Any  # of jmespath's parsed tree: a dict of type, value and children

# jmespath checks the types it knows of and leaks what Python raises for the rest.
LEAKS = (JMESPathError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError)


class ExpressionFailed(Exception):  # noqa: N818  # it names what happened, as the outcome does
    """An expression could not be applied to this value; the message is one sentence for a person."""


@dataclass(frozen=True, slots=True)
class Expression:
    text: str
    _tree: Node

    def evaluate(self, value: object) -> Any:
        """The result, its size bounded. Raises ExpressionFailed."""
        interpreter = _Interpreter()
        try:
            result = interpreter.visit(self._tree, value)
            interpreter.weigh(result)
        except LEAKS as error:
            raise ExpressionFailed(_sentence("The expression failed on this event", error)) from None
        return result

    def holds(self, value: object) -> bool:
        """Whether the result is a truth to JMESPath: not null, false, or an empty text, list or object."""
        result = self.evaluate(value)
        return result is not None and result is not False and result not in ("", [], {})


@lru_cache(maxsize=CACHED)
def compile_expression(text: str) -> Expression:
    """Raises ValueError with one sentence when it is not JMESPath or not of a reasonable size."""
    if not text.strip():
        raise ValueError("The expression is empty.")
    if len(text) > MAX_LENGTH:
        raise ValueError(f"The expression is longer than {MAX_LENGTH:,} characters.")
    try:
        tree = jmespath.compile(text).parsed
    except RecursionError:
        raise ValueError("The expression is nested too deeply.") from None
    except LEAKS as error:
        raise ValueError(_sentence("The expression is not valid JMESPath", error)) from None
    if _depth(tree) > MAX_DEPTH:
        raise ValueError("The expression is nested too deeply.")
    _check_functions(tree)
    return Expression(text, tree)


def parse_json(body: bytes) -> Any:
    """The document in a body. Raises ExpressionFailed when it is not JSON that every receiver can read."""
    try:
        return json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise ExpressionFailed("The event's body is not JSON, so no expression can read it.") from None


def render_json(value: object) -> bytes:
    """Compact UTF-8. Raises ExpressionFailed for what JSON or UTF-8 cannot hold."""
    try:
        quick = orjson.dumps(value)
        if b"null" not in quick:  # as which it would write an infinite number
            return quick
    except orjson.JSONEncodeError:  # an integer of more than 64 bits, or nothing that JSON knows
        pass
    try:
        return _COMPACT(value).encode("utf-8")
    except UnicodeEncodeError:
        raise ExpressionFailed("The result has half a character in it, which UTF-8 cannot hold.") from None
    except (ValueError, RecursionError):
        raise ExpressionFailed("The result has a number or a depth that JSON cannot hold.") from None
    except TypeError:
        raise ExpressionFailed("The result is not a JSON value.") from None


# Made once: json.dumps would make it for each value.
_COMPACT = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


class _Interpreter(TreeInterpreter):
    """JMESPath's own interpreter on a budget; what would walk or copy a value weighs it first."""

    def __init__(self) -> None:
        super().__init__(Options(custom_functions=_Functions(self)))
        self._methods: dict[str, Callable[..., Any]] = {}
        self._left = MAX_WORK

    def visit(self, node: Node, *args: Any, **kwargs: Any) -> Any:
        self.spend(1)
        # Not by super(): this runs for each node and element, and the detour doubled the time.
        method = self._methods.get(node["type"]) or self._method(node["type"])
        return method(node, *args)

    def visit_comparator(self, node: Node, value: Any) -> Any:
        left, right = self.visit(node["children"][0], value), self.visit(node["children"][1], value)
        if isinstance(left, list | dict) and isinstance(right, list | dict):
            self.weigh(left)
            self.weigh(right)
        # jmespath itself would compare a number with a text, and fail.
        if node["value"] in ("eq", "ne") or _are_ordered(left, right):
            return self.COMPARATOR_FUNC[node["value"]](left, right)
        return None

    def visit_flatten(self, node: Node, value: Any) -> Any:
        base = self.visit(node["children"][0], value)
        if not isinstance(base, list):
            return None
        self.spend(sum(len(item) if isinstance(item, list) else 1 for item in base))
        return [part for item in base for part in (item if isinstance(item, list) else (item,))]

    def spend(self, work: int) -> None:
        self._left -= work
        if self._left < 0:
            raise ExpressionFailed("The expression takes too much work on this event.")

    def weigh(self, value: Any) -> None:
        """Pays for every leaf of a value, each as often as it would be written out, texts by their length."""
        pending = [value]
        while pending:
            part = pending.pop()
            if isinstance(part, dict):
                self.spend(1 + len(part) + sum(map(len, part)) // TEXT_PER_STEP)
                pending.extend(part.values())
            elif isinstance(part, list):
                self.spend(1 + len(part))
                pending.extend(part)
            elif isinstance(part, str):
                self.spend(len(part) // TEXT_PER_STEP)

    def _method(self, kind: str) -> Callable[..., Any]:
        method: Callable[..., Any] = getattr(self, f"visit_{kind}", self.default_visit)
        self._methods[kind] = method
        return method


class _Functions(Functions):
    """JMESPath's functions, each paid for by the size of what it is given."""

    def __init__(self, interpreter: _Interpreter) -> None:
        self._interpreter = interpreter

    def call_function(self, function_name: str, resolved_args: Iterable[Any]) -> Any:
        for argument in resolved_args:
            self._interpreter.weigh(argument)
        match function_name, resolved_args:
            case "join", [str(glue), list(parts)]:
                self._interpreter.spend(len(glue) * len(parts) // TEXT_PER_STEP)
        return super().call_function(function_name, resolved_args)


def _are_ordered(left: object, right: object) -> bool:
    return (_is_number(left) and _is_number(right)) or (isinstance(left, str) and isinstance(right, str))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _nodes(tree: Node) -> Iterator[tuple[Node, int]]:
    """Every node with its depth, without recursion: the tree may be as deep as the text is long."""
    pending = [(tree, 1)]
    while pending:
        node, depth = pending.pop()
        yield node, depth
        pending.extend((child, depth + 1) for child in node["children"] if isinstance(child, dict))


def _depth(tree: Node) -> int:
    return max(depth for _, depth in _nodes(tree))


def _check_functions(tree: Node) -> None:
    """jmespath finds an unknown function when it first runs; a person should hear of it when saving."""
    for node, _ in _nodes(tree):
        if node["type"] == "function_expression" and node["value"] not in Functions.FUNCTION_TABLE:
            raise ValueError(f"The expression calls {node['value']}(), which JMESPath does not have.")


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _sentence(opening: str, error: BaseException) -> str:
    detail = " ".join(str(error).split())
    return f"{opening}: {detail[:200].rstrip('.')}." if detail else f"{opening}."
