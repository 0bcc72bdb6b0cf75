"""Trees, from any of the shapes in which they are told, and from as many pages.

Nothing here calls itself: a conversation may be deeper than Python's stack.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

from chatloom.core.http import JSON
from chatroutes.answers import Object, conversation, dicts, following, inner, mapping
from chatroutes.pages import Page
from chatroutes.types import ConversationTree

_OF_A_PAGE = frozenset({"success", "data", "hasNext", "nextCursor"})


def page(body: bytes) -> Page[Object]:
    """Read a page of a tree."""
    told = inner(body)
    return Page([told], following(told))


def whole(pages: Sequence[Object], conversation_id: str) -> ConversationTree:
    """Make one tree of its pages.

    The first one leads. Some servers tell no messages, but the branches alone; then
    nothing is under `tree`.
    """
    told = {name: value for name, value in pages[0].items() if name not in _OF_A_PAGE}
    about = {"id": conversation_id, **mapping(told.get("conversation"))}
    lead: Object = {"id": about["id"], "role": "system", "content": about.get("title") or ""}
    nodes = grafted([node for page in pages for node in _tops(page)], "parentMessageId")
    lead = {**lead, **mapping(told.get("tree")), "children": cast("JSON", nodes)}
    branches = _branches(pages, conversation_id)
    told |= {
        "conversation": cast("JSON", conversation(about)),
        "tree": lead,
        "branches": cast("JSON", branches),
        "metadata": mapping(told.get("metadata")) or _size(nodes, branches),
    }
    for branch in branches:
        if branch.get("isMain") is True and not told.get("mainBranch"):
            told["mainBranch"] = branch["branch"]
    return cast("ConversationTree", told)


def grafted(tops: Sequence[Object], parent: str) -> list[Object]:
    """Put each of *tops* under the node that it names as its *parent*; give those left over.

    What would become its own ancestor stays at the top.
    """
    places: dict[JSON, tuple[int, Object]] = {}
    for number, top in enumerate(tops):
        for node, _ in walked([top]):
            if isinstance(id_ := node.get("id"), str):
                places.setdefault(id_, (number, node))
    leads = list(range(len(tops)))  # of each top: one above it, or itself
    left: list[Object] = []
    for number, top in enumerate(tops):
        name = top.get(parent)
        place = places.get(name) if isinstance(name, str) else None
        if place is None or (lead := _highest(leads, place[0])) == number:
            left.append(top)
        else:
            cast("list[JSON]", place[1]["children"]).append(top)
            leads[number] = lead
    return left


def _highest(leads: list[int], number: int) -> int:
    while leads[number] != number:
        leads[number] = leads[leads[number]]  # so that the way is shorter next time
        number = leads[number]
    return number


def walked(tops: Sequence[Object]) -> Iterator[tuple[Object, int]]:
    """Give every node and its depth, parents first; all of them have `children` from then on."""
    waiting = [(top, 1) for top in reversed(tops)]
    while waiting:
        node, depth = waiting.pop()
        children = dicts(node.get("children"))
        node["children"] = cast("JSON", children)
        yield node, depth
        waiting += [(child, depth + 1) for child in reversed(children)]


def _tops(page: Object) -> list[Object]:
    tree = page.get("tree")
    nodes = dicts(mapping(tree).get("children") if isinstance(tree, dict) else tree)
    for node, _ in walked(nodes):
        node["content"] = node.get("content") or ""
    return nodes


def _branches(pages: Sequence[Object], conversation_id: str) -> list[Object]:
    """Nest the branches of all pages; each holds itself, too, under `branch`."""
    tops = [branch for page in pages for branch in dicts(page.get("branches"))]
    for branch, _ in walked(tops):
        own = mapping(branch.get("branch"))
        own = own or {name: value for name, value in branch.items() if name != "children"}
        branch["branch"] = {"conversationId": conversation_id, **own}
        for name, value in mapping(branch["branch"]).items():
            branch.setdefault(name, value)
    return grafted(tops, "parentBranchId")


def _size(nodes: Sequence[Object], branches: Sequence[Object]) -> Object:
    depths = [depth for _, depth in walked(nodes)]
    return {
        "totalNodes": len(depths),
        "totalBranches": sum(1 for _ in walked(branches)),
        "maxDepth": max(depths, default=0),
    }
