"""A database: SQLite with two tables of facts that ship with Python."""

from __future__ import annotations

import mimetypes
import sqlite3
from http import HTTPStatus
from random import Random
from typing import Any

from .base import Script, Step, Toolbox, call, intro


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


def count_types(rng: Random) -> Script:
    kind = rng.choice(("application", "audio", "image", "text", "video"))
    yield f"How many {kind} types do we know, and which file extensions stand for them?"
    (tables,) = yield Step(
        "I don't know the schema yet. First the tables, then the columns of the one that matters.",
        calls=[call("list_tables")],
    )
    (columns,) = yield Step(
        f"The database has:\n{tables}\n\nThe question is about media types, so I need the columns of media_types and "
        "perhaps an example row to see how they are filled.",
        calls=[call("describe_table", table="media_types", sample_rows=rng.choice((1, 2, 3)))],
    )
    sql = "SELECT subtype, group_concat(extension, ', ') AS known\nFROM media_types\nWHERE type = ?\nGROUP BY subtype"
    (rows,) = yield Step(
        f"So the columns are {', '.join(line.split()[0] for line in columns.splitlines()[:3])}. I group by subtype and "
        "collect the extensions.",
        calls=[call("run_query", sql=sql, parameters=[kind])],
    )
    lines = rows.splitlines()[1:-1]
    yield Step(
        f"The result:\n{rows}\n\nThat is everything I need.",
        f"There are {rows.splitlines()[-1].strip('()').split()[0]} {kind} types. Some of them:\n\n"
        + "\n".join(f"- {line}" for line in lines[:5]),
    )


def look_up_status(rng: Random) -> Script:
    code = rng.choice((204, 301, 304, 403, 404, 409, 410, 418, 429, 500, 503))
    yield f"A server keeps answering {code}. What does our table say about that status, and about its neighbours?"
    (columns,) = yield Step(
        "Status codes will be in http_status. I look at its columns before I write a query.",
        calls=[call("describe_table", table="http_status")],
    )
    (rows,) = yield Step(
        f"Columns: {', '.join(columns.splitlines())}. I take the code with everything within two of it, in order.",
        intro(rng, "I'll read the row and those around it."),
        calls=[
            call(
                "run_query",
                sql="SELECT code, phrase, description FROM http_status WHERE code BETWEEN ? AND ? ORDER BY code",
                parameters=[str(code - 2), str(code + 2)],
            )
        ],
    )
    row = next(
        (line.split(" | ") for line in rows.splitlines() if line.startswith(str(code))), [str(code), "unknown", ""]
    )
    yield Step(
        f"The table has:\n{rows}\n\nThe row for {code} says '{row[1]}'.",
        f"{code} is **{row[1]}**. {row[2]}".strip(),
    )


def add_table(rng: Random) -> Script:
    name = rng.choice(("audit", "notes", "reviews", "todo"))
    yield f"Create a table `{name}` with an id, a text and a flag whether it is done, and put one row in it."
    (tables,) = yield Step(
        f"I should make sure that `{name}` does not exist already.",
        calls=[call("list_tables", include_views=True)],
    )
    yield Step(
        f"Existing: {tables}. The name is free. Creating a table changes the database, so read_only has to be off.",
        calls=[
            call(
                "run_query",
                sql=f"CREATE TABLE {name} (\n    id INTEGER PRIMARY KEY,\n    text TEXT,\n    done INTEGER\n)",
                read_only=False,
            )
        ],
    )
    text = rng.choice(("first entry", "check the imports", "ask about the schema"))
    yield Step(
        "The table is there. One row, with the text as a parameter.",
        calls=[call("run_query", sql=f"INSERT INTO {name} (text) VALUES (?)", parameters=[text], read_only=False)],
    )
    (rows,) = yield Step(
        "I read it back, so that I report what is really there.",
        calls=[call("run_query", sql=f"SELECT * FROM {name}")],
    )
    yield Step(f"It reads:\n{rows}", f"The table `{name}` exists and holds one row:\n\n```\n{rows}\n```")
