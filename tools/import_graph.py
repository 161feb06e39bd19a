"""Measure the import graph: how many modules, arrows, floors and circles it has.

    python tools/import_graph.py                       # this checkout
    python tools/import_graph.py --root ../older       # another checkout, to compare with
    python tools/import_graph.py --type-checking       # count imports under ``if TYPE_CHECKING:`` as well

An *arrow* is one module that imports another, inside functions too. A *floor* is a level of the graph: a module is one
floor above the highest module that it imports, so the number of floors is the length of the longest chain of imports.
A *circle* is a group of modules that all reach one another; it counts as one floor. Each figure is given for modules,
and for wings: the packages and modules directly below ``labeling``, ``cli`` and ``benchmarks``.

Ends with 1 if there is a circle.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Set
from pathlib import Path

import grimp

PACKAGES = ("labeling", "cli", "benchmarks")

Graph = Mapping[str, Set[str]]
"""For each module, the modules that it imports."""


def imports(packages: list[str], *, type_checking: bool = False) -> Graph:
    """Read the import graph of packages that can be imported."""
    graph = grimp.build_graph(*packages, exclude_type_checking_imports=not type_checking, cache_dir=None)
    return {module: graph.find_modules_directly_imported_by(module) for module in sorted(graph.modules)}


def wings(graph: Graph) -> Graph:
    """Merge every package below a root into one node; arrows inside it vanish."""
    merged: dict[str, set[str]] = {}
    for module, imported in graph.items():
        wing = _wing(module)
        merged.setdefault(wing, set()).update(_wing(other) for other in imported)
    return {wing: imported - {wing} for wing, imported in merged.items()}


def _wing(module: str) -> str:
    return ".".join(module.split(".")[:2])


def arrows(graph: Graph) -> int:
    """Count the imports."""
    return sum(len(imported) for imported in graph.values())


def groups(graph: Graph) -> list[list[str]]:
    """Part the modules into groups that reach one another, importers last (Tarjan's algorithm)."""
    found: list[list[str]] = []
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    path: list[str] = []

    def visit(module: str) -> None:
        order[module] = lowest[module] = len(order)
        path.append(module)
        for other in sorted(graph[module]):
            if other not in order:
                visit(other)
                lowest[module] = min(lowest[module], lowest[other])
            elif other in path:
                lowest[module] = min(lowest[module], order[other])
        if lowest[module] == order[module]:
            start = path.index(module)
            found.append(sorted(path[start:]))
            del path[start:]

    for module in graph:
        if module not in order:
            visit(module)
    return found


def circles(graph: Graph) -> list[list[str]]:
    """List the groups of two modules or more that reach one another."""
    return [group for group in groups(graph) if len(group) > 1]


def floors(graph: Graph) -> list[str]:
    """Return one longest chain of imports, from the top floor down; a circle is one link, by its first module."""
    chains: dict[str, list[str]] = {}
    for group in groups(graph):  # what a group imports comes before it
        below = [chains[other] for module in group for other in sorted(graph[module]) if other not in group]
        chain = [group[0], *max(below, key=len, default=[])]
        chains.update(dict.fromkeys(group, chain))
    return max(chains.values(), key=len, default=[])


def report(name: str, graph: Graph, *, chain: bool) -> str:
    """Say the figures of one graph in lines of text."""
    longest, loops = floors(graph), circles(graph)
    lines = [f"{len(graph)} {name}, {arrows(graph)} arrows, {len(longest)} floors, {len(loops)} circles"]
    lines += [f"  circle: {', '.join(loop)}" for loop in loops]
    if chain:
        lines.append(f"  longest chain: {' > '.join(longest)}")
    return "\n".join(lines)


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[1], help="the checkout to read")
    parser.add_argument("--package", action="append", help=f"a package to read (default: {', '.join(PACKAGES)})")
    parser.add_argument("--type-checking", action="store_true", help="imports under TYPE_CHECKING count as well")
    parser.add_argument("--chain", action="store_true", help="show the longest chain of imports")
    given = parser.parse_args()
    sys.path.insert(0, str(given.root.resolve()))
    sys.setrecursionlimit(10_000)
    graph = imports(given.package or list(PACKAGES), type_checking=given.type_checking)
    print(report("modules", graph, chain=given.chain))
    print(report("wings", wings(graph), chain=given.chain))
    return 1 if circles(graph) or circles(wings(graph)) else 0


if __name__ == "__main__":
    sys.exit(main())
