"""What is wrong with a YAML file, said in its own terms: line, key, and the nearest key that exists."""

import re
from collections.abc import Iterator
from typing import Any, get_args

import yaml
from pydantic import BaseModel
from pydantic_core import ErrorDetails

from core.options import explained, nearest

Loc = tuple[int | str, ...]


def explain(error: ErrorDetails, node: yaml.Node | None, root: type[BaseModel]) -> str:
    """`12: monitors.0.window.every: ...` for one mistake in the file `node`, whose shape is `root`.

    Unions in `root` are told apart by tags in angle brackets, which are no part of a key.
    """
    path, line = locate(node, tuple(part for part in error["loc"] if not _is_tag(part)))
    key = ".".join(map(str, path)) or "the file"
    if error["type"] == "extra_forbidden":
        return f"{line}: {_unknown(key, path, _known_keys(path[:-1], root))}"
    return f"{line}: {key}: {_plainly(explained(error))}"


def not_yaml(error: yaml.YAMLError, text: str, name: str) -> str:
    """`tidemark.yaml:3: not YAML: ...`"""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        return f"{name}:{error.problem_mark.line + 1}: not YAML: {error.problem}"
    if isinstance(error, yaml.reader.ReaderError):
        line = text.count("\n", 0, error.position) + 1
        return f"{name}:{line}: not YAML: the character {error.character!r} is not allowed"
    return f"{name}: not YAML: {error}"


def locate(node: yaml.Node | None, loc: Loc) -> tuple[list[int | str], int]:
    """`loc` as far as the file goes and one key beyond it, which is missing there; and the line."""
    path: list[int | str] = []
    line = 1
    for part in loc:
        path.append(part)
        found = _inner(node, part)
        if found is None:
            break
        start, node = found
        line = start.start_mark.line + 1
    return path, line


def duplicate_key(node: yaml.Node | None) -> yaml.Node | None:
    """A key that its mapping already had; YAML itself would take the last one in silence."""
    for mapping in _mappings(node, set()):
        seen: set[object] = set()
        for key, _ in mapping.value:
            if key.value in seen:
                twice: yaml.Node = key
                return twice
            seen.add(key.value)
    return None


def _is_tag(part: int | str) -> bool:
    return isinstance(part, str) and (part == "[key]" or part.startswith("<"))


def _unknown(key: str, path: list[int | str], known: list[str]) -> str:
    last = str(path[-1])
    if last in known:
        return f"the key '{key}' does not go with the keys beside it"
    return f"unknown key '{key}'; {nearest(last, known)}"


def _plainly(message: str) -> str:
    """Pydantic's message without Python's names for what a YAML file holds."""
    message = re.sub(r"^Value error, | or instance of \w+", "", message)
    return message.replace("valid dictionary", "mapping").replace("valid tuple", "list")


def _inner(node: yaml.Node | None, part: int | str) -> tuple[yaml.Node, yaml.Node] | None:
    """Where `part` of `node` starts, and its value."""
    if isinstance(node, yaml.MappingNode):
        return next(((key, value) for key, value in node.value if key.value == str(part)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part]
    return None


def _known_keys(path: list[int | str], root: type[BaseModel]) -> list[str]:
    """The keys allowed at `path`, read off the models."""
    candidates: list[type[BaseModel]] = [root]
    for part in path:
        inner = [
            found
            for model in candidates
            for name, info in model.model_fields.items()
            if (info.alias or name) == part
            for found in _models_in(info.annotation)
        ]
        candidates = inner or candidates  # an index, or a name of the user's own choice, leads nowhere new
    return sorted({info.alias or name for model in candidates for name, info in model.model_fields.items()})


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models_in(inner)]


def _mappings(node: yaml.Node | None, seen: set[int]) -> Iterator[yaml.MappingNode]:
    """Every mapping at and below `node`, each once although an alias may lead back to it."""
    if not isinstance(node, yaml.CollectionNode) or id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        yield node
    for child in node.value:
        for inner in child if isinstance(child, tuple) else (child,):
            yield from _mappings(inner, seen)
