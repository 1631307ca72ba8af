"""One item of a list in a YAML text is set or taken out; comments, order and all other lines stay as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

Item = Mapping[str, Any]


class Unfit(Exception):
    """The text cannot be changed by lines; it says why."""


def with_item(text: str, section: str, key: str, item: Item, standing: Sequence[Item]) -> str:
    """`text` with `item` in the list `section`, in place of the item with the same `key`, else at its end.

    Where the text does not have the list yet, `standing` are the items that hold until now: they are written out, too.
    """
    found = _section(text, section)
    if found is None:
        return _appended(text, section, changed(standing, key, item))
    node, items = found
    if not isinstance(node, yaml.SequenceNode) or node.flow_style or not node.value:
        return _replaced(text, node, changed(items, key, item))
    for standing_node in node.value:
        if _value(standing_node, key) == item[key]:
            return _exchanged(text, standing_node, _rendered([item], _dash(text, standing_node)))
    last = node.value[-1]
    after = _end_line(last) + 1
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    return "".join([*lines[:after], _rendered([item], _dash(text, last)), *lines[after:]])


def without_item(text: str, section: str, key: str, value: str, standing: Sequence[Item]) -> str:
    """`text` without the item whose `key` is `value` in the list `section`."""
    found = _section(text, section)
    if found is None:
        return _appended(text, section, [one for one in standing if one[key] != value])
    node, items = found
    left = [one for one in items if one.get(key) != value]
    if not left or not isinstance(node, yaml.SequenceNode) or node.flow_style:
        return _replaced(text, node, left)
    for item in node.value:
        if _value(item, key) == value:
            return _exchanged(text, item, "")
    return text


def changed(items: Sequence[Item], key: str, item: Item) -> list[Item]:
    """`items` with `item` in place of the one with the same `key`, else at the end."""
    if any(one.get(key) == item[key] for one in items):
        return [item if one.get(key) == item[key] else one for one in items]
    return [*items, item]


def _appended(text: str, section: str, items: Sequence[Item]) -> str:
    before = f"{text.rstrip()}\n\n" if text.strip() else ""
    return f"{before}{section}:\n{_rendered(items, 2)}" if items else f"{before}{section}: []\n"


def _section(text: str, section: str) -> tuple[yaml.Node, list[dict[str, Any]]] | None:
    try:
        root = yaml.compose(text, yaml.SafeLoader)
    except yaml.YAMLError as problem:
        raise Unfit(f"not YAML: {problem}") from None
    if root is None:
        return None
    if not isinstance(root, yaml.MappingNode) or root.flow_style:
        raise Unfit("it is not written as one key a line")
    for key_node, node in root.value:
        if key_node.value == section:
            if _has_alias(text, node):
                raise Unfit(f"{section} is written with anchors or aliases")
            return node, yaml.safe_load(text).get(section) or []
    return None


def _has_alias(text: str, node: yaml.Node) -> bool:
    """Whether a part of the text is used twice: changed in one place, it would change in the other."""
    begin, end = node.start_mark.index, node.end_mark.index
    return any(
        event.start_mark and begin <= event.start_mark.index < end and getattr(event, "anchor", None)
        for event in yaml.parse(text, yaml.SafeLoader)
    )


def _value(node: yaml.Node, key: str) -> str | None:
    if isinstance(node, yaml.MappingNode):
        return next((value.value for name, value in node.value if name.value == key), None)
    return None


def _dash(text: str, item: yaml.Node) -> int:
    """The column of the dash before an item."""
    line = text.splitlines()[item.start_mark.line]
    return len(line) - len(line.lstrip())


def _end_line(node: yaml.Node) -> int:
    """The last line that belongs to a node, from 0: not the comments and empty lines after it."""
    if isinstance(node, yaml.ScalarNode) or getattr(node, "flow_style", False) or not node.value:
        mark = node.end_mark
        return mark.line - 1 if mark.column == 0 and mark.line > node.start_mark.line else mark.line
    last = node.value[-1]
    return _end_line(last[1] if isinstance(last, tuple) else last)


def _exchanged(text: str, item: yaml.Node, block: str) -> str:
    lines = text.splitlines(keepends=True)
    return "".join([*lines[: item.start_mark.line], block, *lines[_end_line(item) + 1 :]])


def _replaced(text: str, node: yaml.Node, items: Sequence[Item]) -> str:
    """The whole value of a section, written anew as a block."""
    body = f"\n{_rendered(items, 2)}".rstrip("\n") if items else " []"
    before, after = text[: node.start_mark.index].rstrip(" "), text[node.end_mark.index :]
    if isinstance(node, yaml.SequenceNode) and not node.flow_style:
        before, after = before.rstrip(), "\n" + after.lstrip("\n")
    return f"{before}{body}{after}"


def _rendered(items: Sequence[Item], indent: int) -> str:
    body = yaml.safe_dump([dict(item) for item in items], sort_keys=False, allow_unicode=True, width=110)
    return "".join(f"{' ' * indent}{line}" for line in body.splitlines(keepends=True))
