"""The tools of the demo's four settings. They are real: what a call answers is computed, not written down.

A toolbox is made anew for each rollout, because some tools change it. Its tools are declared from their Python
signatures and docstrings.
"""

from __future__ import annotations

import ast
import calendar
import difflib
import fnmatch
import importlib
import inspect
import json
import math
import mimetypes
import re
import sqlite3
import typing
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from functools import cache
from http import HTTPStatus
from random import Random
from typing import Any

_JSON_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean"}


def declare(tool: Callable[..., str]) -> dict[str, Any]:
    """The declaration of a tool, in the OpenAI shape."""
    summary, _, described = inspect.cleandoc(tool.__doc__ or "").partition("\n\nArgs:\n")
    about = dict(re.findall(r"^ +(\w+): (.+)$", described, re.M))
    hints = typing.get_type_hints(tool)
    properties: dict[str, dict[str, Any]] = {}
    required = []
    for name, parameter in inspect.signature(tool).parameters.items():
        kind = hints[name]
        many = typing.get_origin(kind) is list
        properties[name] = {"type": "array", "items": {"type": "string"}} if many else {"type": _JSON_TYPES[kind]}
        properties[name]["description"] = about[name]
        if parameter.default is parameter.empty:
            required.append(name)
        else:
            properties[name]["default"] = parameter.default
    parameters = {"type": "object", "properties": properties, "required": required}
    function = {"name": tool.__name__, "description": " ".join(summary.split()), "parameters": parameters}
    return {"type": "function", "function": function}


class Toolbox:
    """The tools of one rollout.

    Attributes:
        system: the system prompt that goes with them.
        by_tool: what the harness answers to a turn that was cut at its length limit comes as a tool result; else
            the user says it.
    """

    system = ""
    by_tool = False

    def __init__(self, rng: Random) -> None:
        """Set up what the tools work on."""

    @property
    def tools(self) -> Mapping[str, Callable[..., str]]:
        """The public methods of the subclass, each of them a tool."""
        own = vars(type(self)).items()
        return {name: getattr(self, name) for name, value in own if inspect.isfunction(value) and name[0] != "_"}

    def call(self, name: str, arguments: Mapping[str, Any]) -> str:
        """What a tool answers; its errors are answers too."""
        try:
            return self.tools[name](**arguments)
        except (ValueError, TypeError, LookupError, re.error, sqlite3.Error) as error:
            return f"Error: {type(error).__name__}: {error}"


# ---- a code repository ----------------------------------------------------------------------

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


# ---- a database -----------------------------------------------------------------------------


class Database(Toolbox):
    """SQLite with two tables of facts that ship with Python."""

    system = (
        "You answer questions about a SQLite database. Look at the schema before you write a query, and never "
        "guess a figure."
    )
    by_tool = True

    def __init__(self, rng: Random) -> None:
        self._connection = sqlite3.connect(":memory:")
        self._connection.execute("CREATE TABLE http_status (code INTEGER PRIMARY KEY, phrase TEXT, description TEXT)")
        self._connection.execute("CREATE TABLE media_types (extension TEXT PRIMARY KEY, type TEXT, subtype TEXT)")
        statuses = [(status.value, status.phrase, status.description) for status in HTTPStatus]
        self._connection.executemany("INSERT INTO http_status VALUES (?, ?, ?)", statuses)
        types = mimetypes.MimeTypes(filenames=()).types_map[True]
        rows = [(extension, *kind.split("/", 1)) for extension, kind in sorted(types.items())]
        self._connection.executemany("INSERT INTO media_types VALUES (?, ?, ?)", rows)
        self._connection.commit()

    def list_tables(self, include_views: bool = False) -> str:
        """List the tables of the database with their number of rows.

        Args:
            include_views: Also list views.
        """
        kinds = ("table", "view") if include_views else ("table", "table")
        names = self._connection.execute("SELECT name FROM sqlite_master WHERE type IN (?, ?) ORDER BY name", kinds)
        return "\n".join(
            f"{name} ({self._connection.execute(f'SELECT count(*) FROM {name}').fetchone()[0]} rows)"
            for (name,) in names.fetchall()
        )

    def describe_table(self, table: str, sample_rows: int = 0) -> str:
        """Print the columns of a table and their types.

        Args:
            table: The table.
            sample_rows: Also print so many of its rows.
        """
        columns = self._connection.execute("SELECT name, type FROM pragma_table_info(?)", (table,)).fetchall()
        if not columns:
            raise LookupError(f"no such table: {table}")
        rows = self._connection.execute(f"SELECT * FROM {table} LIMIT ?", (sample_rows,)).fetchall()
        return "\n".join([*(f"{name} {kind}" for name, kind in columns), *map(self._row, rows)])

    def run_query(self, sql: str, parameters: list[str] = [], read_only: bool = True) -> str:  # noqa: B006
        """Run one SQL statement and print its rows.

        Args:
            sql: The statement, with ? for each parameter.
            parameters: The values of the parameters.
            read_only: Refuse statements that change the database.
        """
        if read_only and not sql.lstrip().lower().startswith(("select", "with")):
            raise ValueError("the statement changes the database, and read_only is set")
        cursor = self._connection.execute(sql, parameters)
        if cursor.description is None:
            return f"{max(cursor.rowcount, 0)} rows changed"
        rows = cursor.fetchall()
        head = " | ".join(column[0] for column in cursor.description)
        return "\n".join([head, *map(self._row, rows[:15]), f"({len(rows)} rows)"])

    @staticmethod
    def _row(row: tuple[Any, ...]) -> str:
        return " | ".join(map(str, row))


# ---- a calendar -----------------------------------------------------------------------------

PEOPLE = ("amara", "bjorn", "chiara", "dmitri", "esther", "farid", "giulia", "haruto")
MEETINGS = ("Design review", "Budget meeting", "Interview", "Team lunch", "Release planning", "One-to-one")
WEEK = date(2026, 3, 2)


@dataclass
class Event:
    """One appointment."""

    id: int
    title: str
    start: str
    minutes: int
    attendees: list[str]
    all_day: bool = False
    location: str = ""
    cancelled: bool = False


class Calendar(Toolbox):
    """A week of appointments."""

    system = (
        "You keep the calendar of a small team. Today is Sunday, 1 March 2026. Working hours are 9:00 to 17:00. Never "
        "book over an existing event."
    )

    def __init__(self, rng: Random) -> None:
        self._events: list[Event] = []
        for day in range(5):
            for hour in sorted(rng.sample(range(9, 17), rng.randint(2, 4))):
                start = datetime(WEEK.year, WEEK.month, WEEK.day + day, hour, rng.choice((0, 30)))
                who = rng.sample(PEOPLE, rng.randint(1, 3))
                minutes = rng.choice((30, 45))
                self._events.append(Event(len(self._events) + 101, rng.choice(MEETINGS), self._at(start), minutes, who))

    @staticmethod
    def _at(moment: datetime) -> str:
        return moment.isoformat(timespec="minutes")

    def _on(self, day: str) -> list[Event]:
        return sorted((event for event in self._events if event.start.startswith(day)), key=lambda event: event.start)

    def list_events(self, day: str, attendee: str = "", include_cancelled: bool = False) -> str:
        """List the events of a day.

        Args:
            day: The day, as YYYY-MM-DD.
            attendee: List the events of this person only; empty lists everybody's.
            include_cancelled: Also list cancelled events.
        """
        events = [
            event
            for event in self._on(date.fromisoformat(day).isoformat())
            if (not attendee or attendee in event.attendees) and (include_cancelled or not event.cancelled)
        ]
        return json.dumps([asdict(event) for event in events], indent=1)

    def find_free_time(self, day: str, minutes: int, attendees: list[str]) -> str:
        """Find the times of a day at which all of some people are free.

        Args:
            day: The day, as YYYY-MM-DD.
            minutes: How long the free time must be.
            attendees: The people.
        """
        moment = datetime.fromisoformat(f"{day}T09:00")
        close = datetime.fromisoformat(f"{day}T17:00")
        busy = [event for event in self._on(day) if not event.cancelled and set(event.attendees) & set(attendees)]
        free = []
        while moment + timedelta(minutes=minutes) <= close:
            end = moment + timedelta(minutes=minutes)
            if all(
                end <= (begin := datetime.fromisoformat(event.start))
                or moment >= begin + timedelta(minutes=event.minutes)
                for event in busy
            ):
                free.append(f"{moment:%H:%M}")
            moment += timedelta(minutes=30)
        return json.dumps({"day": day, "minutes": minutes, "free": free})

    def create_event(
        self,
        title: str,
        start: str,
        minutes: int,
        attendees: list[str],
        all_day: bool = False,
        send_invitations: bool = True,
        location: str = "",
    ) -> str:
        """Create an event.

        Args:
            title: What it is called.
            start: When it begins, as YYYY-MM-DDTHH:MM.
            minutes: How long it lasts.
            attendees: Who takes part.
            all_day: It lasts the whole day; start's time is then ignored.
            send_invitations: Send an invitation to everybody who takes part.
            location: Where it takes place.
        """
        moment = self._at(datetime.fromisoformat(start))
        self._events.append(Event(len(self._events) + 101, title, moment, minutes, attendees, all_day, location))
        told = f"{len(attendees)} invitations sent" if send_invitations else "no invitations sent"
        return json.dumps({"status": "created", "event": asdict(self._events[-1]), "note": told})

    def cancel_event(self, event_id: int, notify: bool = True, reason: str = "") -> str:
        """Cancel an event.

        Args:
            event_id: The event's id.
            notify: Tell everybody who takes part.
            reason: Why it is cancelled; told to those who take part.
        """
        event = next((event for event in self._events if event.id == event_id), None)
        if event is None:
            raise LookupError(f"no event has the id {event_id}")
        event.cancelled = True
        return json.dumps({"status": "cancelled", "id": event.id, "notified": event.attendees if notify else []})

    def show_month(self, year: int, month: int) -> str:
        """Print a month as a table of weeks.

        Args:
            year: The year.
            month: The month, 1 to 12.
        """
        return calendar.TextCalendar().formatmonth(year, month)


# ---- travel ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class City:
    """Where a city lies. `utc_hours` is its standard time, without summer time."""

    name: str
    country: str
    latitude: float
    longitude: float
    utc_hours: float


CITIES = (
    City("Nairobi", "Kenya", -1.286, 36.817, 3),
    City("Lima", "Peru", -12.046, -77.043, -5),
    City("Mumbai", "India", 19.076, 72.878, 5.5),
    City("Osaka", "Japan", 34.694, 135.502, 9),
    City("Oslo", "Norway", 59.914, 10.752, 1),
    City("Reykjavík", "Iceland", 64.147, -21.943, 0),
    City("São Paulo", "Brazil", -23.551, -46.633, -3),
    City("Sydney", "Australia", -33.869, 151.209, 10),
    City("Toronto", "Canada", 43.653, -79.383, -5),
    City("Zürich", "Switzerland", 47.377, 8.541, 1),
)


class Travel(Toolbox):
    """Distances, times and daylight of cities."""

    system = "You are a travel assistant. Use the tools for every figure you give, and answer in one short paragraph."

    @staticmethod
    def _city(name: str) -> City:
        found = [city for city in CITIES if city.name.casefold() == name.strip().casefold()]
        if not found:
            raise LookupError(f"no city is called {name!r}")
        return found[0]

    def find_city(self, name: str, country: str = "") -> str:
        """Look a city up: country, position and standard time.

        Args:
            name: The city's name, or its beginning.
            country: Only cities of this country; empty for any.
        """
        found = [asdict(city) for city in CITIES if city.name.startswith(name) and country in ("", city.country)]
        return json.dumps(found, ensure_ascii=False)

    def distance(self, origin: str, destination: str, nautical: bool = False) -> str:
        """The distance between two cities along a great circle.

        Args:
            origin: The one city.
            destination: The other city.
            nautical: Answer in nautical miles rather than kilometres.
        """
        a, b = self._city(origin), self._city(destination)
        north, south = math.radians(a.latitude), math.radians(b.latitude)
        apart = math.radians(b.longitude - a.longitude)
        angle = math.acos(math.sin(north) * math.sin(south) + math.cos(north) * math.cos(south) * math.cos(apart))
        unit, radius = ("nautical miles", 3440.065) if nautical else ("km", 6371.009)
        return json.dumps(
            {"from": a.name, "to": b.name, "distance": round(angle * radius), "unit": unit}, ensure_ascii=False
        )

    def local_time(self, city: str, utc: str, summer_time: bool = False) -> str:
        """The local time of a city.

        Args:
            city: The city.
            utc: The moment in universal time, as YYYY-MM-DDTHH:MM.
            summer_time: Summer time is in force there.
        """
        place = self._city(city)
        moment = datetime.fromisoformat(utc) + timedelta(hours=place.utc_hours + summer_time)
        return json.dumps({"city": place.name, "local": moment.isoformat(timespec="minutes")}, ensure_ascii=False)

    def daylight(self, city: str, day: str) -> str:
        """How long the sun is above the horizon in a city.

        Args:
            city: The city.
            day: The day, as YYYY-MM-DD.
        """
        place = self._city(city)
        since_solstice = (date.fromisoformat(day).timetuple().tm_yday + 10) * 2 * math.pi / 365.25
        tilt = -math.radians(23.44) * math.cos(since_solstice)
        cosine = -math.tan(math.radians(place.latitude)) * math.tan(tilt)
        hours = math.degrees(math.acos(max(-1.0, min(1.0, cosine)))) * 2 / 15
        return json.dumps({"city": place.name, "day": day, "daylight_hours": round(hours, 1)}, ensure_ascii=False)
