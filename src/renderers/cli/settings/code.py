"""A code repository: Python's own library, to search, read and edit."""

from __future__ import annotations

import ast
import difflib
import fnmatch
import importlib
import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from random import Random

from .base import Script, Step, Toolbox, call, everywhere, first_sentence, intro

MODULES = ("bisect", "colorsys", "fnmatch", "heapq", "linecache", "shlex", "string", "textwrap")


@dataclass(frozen=True)
class Defined:
    """A documented function of the repository."""

    path: str
    name: str
    line: int
    doc: str


@cache
def library() -> Mapping[str, str]:
    """Python's own source files, by name."""
    sources = {}
    for name in MODULES:
        module = importlib.import_module(name)
        sources[f"{name}.py"] = inspect.getsource(module)
    return sources


@cache
def defined_functions() -> tuple[Defined, ...]:
    """The documented functions in them, methods included."""
    return tuple(
        Defined(path, node.name, node.lineno, doc)
        for path, source in library().items()
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("__") and (doc := ast.get_docstring(node))
    )


class Repository(Toolbox):
    """Python's own library as a repository to search and edit."""

    system = (
        "You are a careful programmer working in a Python repository. Look before you change anything, keep edits "
        "small, and check a file after you have edited it."
    )
    by_tool = True

    def __init__(self, rng: Random) -> None:
        self._files = dict(library())

    def list_files(self, pattern: str = "*.py", with_sizes: bool = False) -> str:
        """List the files of the repository.

        Args:
            pattern: Shell-style pattern of the names to list.
            with_sizes: Also print each file's number of lines.
        """
        names = fnmatch.filter(sorted(self._files), pattern)
        return "\n".join(f"{len(self._files[name].splitlines()):6} {name}" if with_sizes else name for name in names)

    def search_files(self, pattern: str, path: str = "", regex: bool = False, ignore_case: bool = False) -> str:
        """Search the repository for a text and print the matching lines with file name and line number.

        Args:
            pattern: The text to look for.
            path: Search this file only; empty searches all files.
            regex: Read the pattern as a regular expression.
            ignore_case: Ignore the difference between upper and lower case.
        """
        wanted = re.compile(pattern if regex else re.escape(pattern), re.I if ignore_case else 0)
        hits = [
            f"{name}:{number}: {line.strip()}"
            for name, source in self._files.items()
            if path in ("", name)
            for number, line in enumerate(source.splitlines(), 1)
            if wanted.search(line)
        ]
        return "\n".join(hits[:12]) + (f"\n({len(hits) - 12} more)" if len(hits) > 12 else "") if hits else "No match."

    def read_file(self, path: str, first_line: int = 1, last_line: int = 40) -> str:
        """Print lines of a file.

        Args:
            path: The file.
            first_line: The first line to print, counted from 1.
            last_line: The last line to print.
        """
        return "\n".join(self._files[path].splitlines()[first_line - 1 : last_line])

    def edit_file(self, path: str, old_text: str, new_text: str, dry_run: bool = False) -> str:
        """Replace a text that occurs exactly once in a file, and print the change as a diff.

        Args:
            path: The file.
            old_text: The text to replace, white space included.
            new_text: The text to put in its place.
            dry_run: Print the diff and leave the file as it is.
        """
        before = self._files[path]
        if before.count(old_text) != 1:
            raise ValueError(f"old_text occurs {before.count(old_text)} times in {path}")
        after = before.replace(old_text, new_text)
        if not dry_run:
            self._files[path] = after
        diff = difflib.unified_diff(before.splitlines(), after.splitlines(), path, path, n=1, lineterm="")
        return "\n".join(diff)

    def check_file(self, path: str, list_functions: bool = False) -> str:
        """Compile a file and report syntax errors.

        Args:
            path: The file.
            list_functions: Also print the names of the functions in it.
        """
        functions = [node.name for node in ast.walk(ast.parse(self._files[path])) if isinstance(node, ast.FunctionDef)]
        named = f": {', '.join(functions)}" if list_functions else ""
        return f"{path}: no syntax errors, {len(functions)} functions{named}"


def _one_of(functions: Sequence[Defined], rng: Random) -> Defined:
    """One of the functions; their number differs between Python versions and must not shift the chances after it."""
    return functions[int(rng.random() * len(functions))]


def explain_function(rng: Random) -> Script:
    found = _one_of(defined_functions(), rng)
    yield rng.choice(
        (
            f"Where is `{found.name}` defined, and what does it do?",
            f"I keep seeing calls of `{found.name}`. Can you find it and explain it to me?",
        )
    )
    (hits,) = yield Step(
        f"The user asks about `{found.name}`. I don't know which file it lives in, so the first thing to do is to "
        f"search for its definition. Searching for `def {found.name}` should give the line directly.",
        intro(rng, f"I'll look for the definition of `{found.name}` first."),
        [call("search_files", pattern=f"def {found.name}", **everywhere(rng, path=""))],
    )
    yield Step(
        f"The search gives:\n{hits}\n\nSo it is in {found.path} at line {found.line}. I'll read the function from "
        "there, with enough lines for the docstring and the body.",
        calls=[call("read_file", path=found.path, first_line=found.line, last_line=found.line + rng.randint(15, 30))],
    )
    yield Step(
        f"Now I have the source. The docstring says:\n\n{found.doc}\n\nThat answers the question; I should name the "
        "place and sum it up without repeating the whole docstring.",
        f"`{found.name}` is defined in `{found.path}`, line {found.line}. {first_sentence(found.doc)}",
    )


def find_usages(rng: Random) -> Script:
    found = _one_of(defined_functions(), rng)
    yield f"Which places use `{found.name}`? Upper and lower case should not matter, docs count too."
    (hits,) = yield Step(
        f"I need every mention of `{found.name}`, whatever its case, as a whole word. A regular expression with word "
        "borders does that, and the search can ignore case.",
        calls=[call("search_files", pattern=rf"\b{found.name}\b", regex=True, ignore_case=True)],
    )
    lines = hits.splitlines()
    yield Step(
        f"There are {len(lines)} lines. The definition itself is among them, at {found.path}:{found.line}; the others "
        "are uses or mentions. I'll list them as they are.",
        f"`{found.name}` is mentioned here:\n\n" + "\n".join(f"- {line}" for line in lines[:6]),
    )


def edit_docstring(rng: Random) -> Script:
    found = _one_of([each for each in defined_functions() if "\n" in each.doc], rng)
    old = found.doc.splitlines()[0]
    new = f"{old} See also {found.path.removesuffix('.py')}'s documentation."
    yield f"In {found.path}, let the first line of the docstring of `{found.name}` point to the documentation."
    yield Step(
        "Before I edit anything I should look at the function as it stands, so that the text I replace is exactly what "
        "is in the file.",
        intro(rng, "Let me look at the current docstring."),
        [call("read_file", path=found.path, first_line=found.line, last_line=found.line + 12)],
    )
    careful = rng.random() < 0.3
    if careful:
        yield Step(
            f"The docstring begins with:\n\n{old}\n\nI'll try the edit without writing first, to be sure that the text "
            "occurs only once.",
            calls=[call("edit_file", path=found.path, old_text=old, new_text=new, dry_run=True)],
        )
    (diff,) = yield Step(
        "The dry run shows what I want, now for real."
        if careful
        else f"The line to change is:\n\n{old}\n\nI replace just that.",
        calls=[call("edit_file", path=found.path, old_text=old, new_text=new)],
    )
    if diff.startswith("Error"):
        yield Step(
            f"The tool says: {diff}. The line is not unique, so replacing it needs more context, and the user should "
            "decide which one is meant.",
            f"That line is not unique in `{found.path}`, so I changed nothing. Which of them do you mean?",
        )
        return
    yield Step(
        f"The edit went through. {len(diff.splitlines())} lines of diff, only the docstring changed. I was told to "
        "check a file after editing it.",
        calls=[call("check_file", path=found.path)],
    )
    yield Step(
        "No syntax errors, so this is done. I'll show the diff.",
        f"Done. The change in `{found.path}`:\n\n```diff\n{diff}\n```",
    )


def survey_files(rng: Random) -> Script:
    yield "Give me an overview of this repository: what is in it, and how large is it?"
    (listing,) = yield Step(
        "An overview starts with the list of files. Line counts would be useful for 'how large'.",
        calls=[call("list_files", pattern="*.py", with_sizes=True)],
    )
    names = [line.split()[-1] for line in listing.splitlines()]
    chosen = rng.sample(names, 2)
    heads = yield Step(
        f"There are {len(names)} files. To say what is in them I should read at least the beginnings of some; "
        f"{chosen[0]} and {chosen[1]} will do.",
        calls=[call("read_file", path=name, first_line=1, last_line=rng.randint(8, 14)) for name in chosen],
    )
    total = sum(int(line.split()[0]) for line in listing.splitlines())
    yield Step(
        f"The beginnings:\n\n{heads[0][:300]}\n\nand\n\n{heads[1][:300]}\n\nThe sizes add up to {total} lines.",
        f"The repository holds {len(names)} Python modules, {total} lines in all:\n\n```\n{listing}\n```",
    )
