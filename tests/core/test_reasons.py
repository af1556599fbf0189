"""Every reason code that the sources use is in the list, and the documentation says the same of each."""

import ast
from collections.abc import Iterator
from pathlib import Path

from core.reasons import ANSWERS, REASONS

ROOT = Path(__file__).parents[2]
ROOMS = ("core", "collectors", "storage", "pipelines", "dashboards", "alerts", "detectors", "explainers", "tidemark")
AT = {"Rejected": 1, "DeadLetter": 2}  # where each takes its code


def sources() -> Iterator[ast.AST]:
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            yield from ast.walk(ast.parse(path.read_text()))


def constants() -> dict[str, str]:
    """The texts that modules have names for."""
    found = {}
    for node in sources():
        for target in node.targets if isinstance(node, ast.Assign) else ():
            names, value = (target.elts, node.value.elts) if _tuples(target, node.value) else ([target], [node.value])
            pairs = zip(names, value, strict=False)
            found |= {t.id: v.value for t, v in pairs if isinstance(t, ast.Name) and isinstance(v, ast.Constant)}
    return found


def _tuples(*nodes: ast.AST) -> bool:
    return all(isinstance(node, ast.Tuple) for node in nodes)


def used() -> set[str]:
    """The codes that stand in the sources, as they are or under a name."""
    named, found = constants(), set()
    for call in (node for node in sources() if isinstance(node, ast.Call)):
        name = call.func.id if isinstance(call.func, ast.Name) else ""
        given = [*call.args[AT.get(name, 99) :][:1], *(k.value for k in call.keywords if name and k.arg == "reason")]
        for code in given if name in AT else ():
            found |= {code.value} if isinstance(code, ast.Constant) else set()
            found |= {named[code.id]} if isinstance(code, ast.Name) and code.id in named else set()
    return {str(code) for code in found}


def texts() -> set[object]:
    """Every text that stands in the sources, but for the list itself."""
    ours = (path for path in sorted(ROOT.glob("*/**/*.py")) if path.parts[len(ROOT.parts)] in ROOMS)
    trees = (ast.parse(path.read_text()) for path in ours if path.name != "reasons.py")
    return {node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant)}


def test_every_code_that_is_used_is_in_the_list_and_no_other_is() -> None:
    assert used() <= {*REASONS, *ANSWERS} <= texts()
    assert not REASONS.keys() & ANSWERS.keys()


def test_each_says_what_it_means_and_what_to_do() -> None:
    for reason in (*REASONS.values(), *ANSWERS.values()):
        assert reason.meaning and reason.remedy


def test_the_documentation_lists_every_code_of_a_letter_with_the_same_words() -> None:
    text = (ROOT / "docs" / "dead-letters.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| `") and line.count("|") == 4]
    listed = [line for line in rows if line.split("`")[1] in REASONS]
    assert listed == [f"| `{code}` | {reason.meaning} | {reason.remedy} |" for code, reason in REASONS.items()]
