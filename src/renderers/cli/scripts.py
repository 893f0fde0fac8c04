"""What users ask for in the demo, and how the model goes about it: one generator a task.

A script yields what the user says, then one `Step` for each turn of the model, and is sent what the tools answered.
How a step is spelt, and what goes wrong with it, is decided elsewhere (`rollouts`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Any

from .tools import CITIES, MEETINGS, PEOPLE, WEEK, Calendar, Database, Repository, Toolbox, Travel, defined_functions


@dataclass(frozen=True)
class Step:
    """What the model means to do in one turn: think, say something, call tools."""

    reasoning: str
    content: str = ""
    calls: Sequence[tuple[str, Mapping[str, Any]]] = ()


Script = Generator["str | Step", list[str], None]
Task = Callable[[Random], Script]


def _call(tool: str, /, **arguments: Any) -> tuple[str, Mapping[str, Any]]:
    return tool, arguments


def _first_sentence(text: str) -> str:
    return re.split(r"(?<=[.:])\s", " ".join(text.split()), maxsplit=1)[0]


def _everywhere(rng: Random, **filters: str) -> dict[str, str]:
    """Optional filters that do not matter: left out, or given empty."""
    return filters if rng.random() < 0.4 else {}


def _intro(rng: Random, text: str) -> str:
    """Most turns that call a tool say nothing else."""
    return text if rng.random() < 0.3 else ""


# ---- the repository -------------------------------------------------------------------------


def explain_function(rng: Random) -> Script:
    found = rng.choice(defined_functions())
    yield rng.choice(
        (
            f"Where is `{found.name}` defined, and what does it do?",
            f"I keep seeing calls of `{found.name}`. Can you find it and explain it to me?",
        )
    )
    (hits,) = yield Step(
        f"The user asks about `{found.name}`. I don't know which file it lives in, so the first thing to do is to search for "
        f"its definition. Searching for `def {found.name}` should give the line directly.",
        _intro(rng, f"I'll look for the definition of `{found.name}` first."),
        [_call("search_files", pattern=f"def {found.name}", **_everywhere(rng, path=""))],
    )
    yield Step(
        f"The search gives:\n{hits}\n\nSo it is in {found.path} at line {found.line}. I'll read the function from there, "
        "with enough lines for the docstring and the body.",
        calls=[_call("read_file", path=found.path, first_line=found.line, last_line=found.line + rng.randint(15, 30))],
    )
    yield Step(
        f"Now I have the source. The docstring says:\n\n{found.doc}\n\nThat answers the question; I should name the place and "
        "sum it up without repeating the whole docstring.",
        f"`{found.name}` is defined in `{found.path}`, line {found.line}. {_first_sentence(found.doc)}",
    )


def find_usages(rng: Random) -> Script:
    found = rng.choice(defined_functions())
    yield f"Which places use `{found.name}`? Upper and lower case should not matter, docs count too."
    (hits,) = yield Step(
        f"I need every mention of `{found.name}`, whatever its case, as a whole word. A regular expression with word "
        "borders does that, and the search can ignore case.",
        calls=[_call("search_files", pattern=rf"\b{found.name}\b", regex=True, ignore_case=True)],
    )
    lines = hits.splitlines()
    yield Step(
        f"There are {len(lines)} lines. The definition itself is among them, at {found.path}:{found.line}; the others are uses "
        "or mentions. I'll list them as they are.",
        f"`{found.name}` is mentioned here:\n\n" + "\n".join(f"- {line}" for line in lines[:6]),
    )


def edit_docstring(rng: Random) -> Script:
    found = rng.choice([found for found in defined_functions() if "\n" in found.doc])
    old = found.doc.splitlines()[0]
    new = f"{old} See also {found.path.removesuffix('.py')}'s documentation."
    yield f"In {found.path}, extend the first line of the docstring of `{found.name}` with a pointer to the documentation."
    (source,) = yield Step(
        "Before I edit anything I should look at the function as it stands, so that the text I replace is exactly what is in "
        "the file.",
        _intro(rng, "Let me look at the current docstring."),
        [_call("read_file", path=found.path, first_line=found.line, last_line=found.line + 12)],
    )
    careful = rng.random() < 0.3
    if careful:
        yield Step(
            f"The docstring begins with:\n\n{old}\n\nI'll try the edit without writing first, to be sure that the text occurs "
            "only once.",
            calls=[_call("edit_file", path=found.path, old_text=old, new_text=new, dry_run=True)],
        )
    (diff,) = yield Step(
        "The dry run shows what I want, now for real."
        if careful
        else f"The line to change is:\n\n{old}\n\nI replace just that.",
        calls=[_call("edit_file", path=found.path, old_text=old, new_text=new)],
    )
    if diff.startswith("Error"):
        yield Step(
            f"The tool says: {diff}. The line is not unique, so replacing it needs more context, and the user should decide "
            "which one is meant.",
            f"That line is not unique in `{found.path}`, so I changed nothing. Which of them do you mean?",
        )
        return
    yield Step(
        f"The edit went through. {len(diff.splitlines())} lines of diff, only the docstring changed. I was told to check a file "
        "after editing it.",
        calls=[_call("check_file", path=found.path)],
    )
    yield Step(
        "No syntax errors, so this is done. I'll show the diff.",
        f"Done. The change in `{found.path}`:\n\n```diff\n{diff}\n```",
    )


def survey_files(rng: Random) -> Script:
    yield "Give me an overview of this repository: what is in it, and how large is it?"
    (listing,) = yield Step(
        "An overview starts with the list of files. Line counts would be useful for 'how large'.",
        calls=[_call("list_files", pattern="*.py", with_sizes=True)],
    )
    names = [line.split()[-1] for line in listing.splitlines()]
    chosen = rng.sample(names, 2)
    heads = yield Step(
        f"There are {len(names)} files. To say what is in them I should read at least the beginnings of some; "
        f"{chosen[0]} and {chosen[1]} will do.",
        calls=[_call("read_file", path=name, first_line=1, last_line=rng.randint(8, 14)) for name in chosen],
    )
    total = sum(int(line.split()[0]) for line in listing.splitlines())
    yield Step(
        f"The beginnings:\n\n{heads[0][:300]}\n\nand\n\n{heads[1][:300]}\n\nThe sizes add up to {total} lines.",
        f"The repository holds {len(names)} Python modules, {total} lines in all:\n\n```\n{listing}\n```",
    )


# ---- the database ---------------------------------------------------------------------------


def count_types(rng: Random) -> Script:
    kind = rng.choice(("application", "audio", "image", "text", "video"))
    yield f"How many {kind} types do we know, and which file extensions stand for them?"
    (tables,) = yield Step(
        "I don't know the schema yet. First the tables, then the columns of the one that matters.",
        calls=[_call("list_tables")],
    )
    (columns,) = yield Step(
        f"The database has:\n{tables}\n\nThe question is about media types, so I need the columns of media_types and "
        "perhaps an example row to see how they are filled.",
        calls=[_call("describe_table", table="media_types", sample_rows=rng.choice((1, 2, 3)))],
    )
    sql = "SELECT subtype, group_concat(extension, ', ') AS extensions\nFROM media_types\nWHERE type = ?\nGROUP BY subtype"
    (rows,) = yield Step(
        f"So the columns are {', '.join(line.split()[0] for line in columns.splitlines()[:3])}. I group by subtype and collect "
        "the extensions.",
        calls=[_call("run_query", sql=sql, parameters=[kind])],
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
        calls=[_call("describe_table", table="http_status")],
    )
    (rows,) = yield Step(
        f"Columns: {', '.join(columns.splitlines())}. I take the code with everything within two of it, in order.",
        _intro(rng, "I'll read the row and those around it."),
        calls=[
            _call(
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
        calls=[_call("list_tables", include_views=True)],
    )
    yield Step(
        f"Existing: {tables}. The name is free. Creating a table changes the database, so read_only has to be off.",
        calls=[
            _call(
                "run_query",
                sql=f"CREATE TABLE {name} (\n    id INTEGER PRIMARY KEY,\n    text TEXT NOT NULL,\n    done INTEGER DEFAULT 0\n)",
                read_only=False,
            )
        ],
    )
    text = rng.choice(("first entry", "check the imports", "ask about the schema"))
    yield Step(
        "The table is there. One row, with the text as a parameter.",
        calls=[_call("run_query", sql=f"INSERT INTO {name} (text) VALUES (?)", parameters=[text], read_only=False)],
    )
    (rows,) = yield Step(
        "I read it back, so that I report what is really there.",
        calls=[_call("run_query", sql=f"SELECT * FROM {name}")],
    )
    yield Step(f"It reads:\n{rows}", f"The table `{name}` exists and holds one row:\n\n```\n{rows}\n```")


# ---- the calendar ---------------------------------------------------------------------------


def schedule_meeting(rng: Random) -> Script:
    who, title = sorted(rng.sample(PEOPLE, rng.randint(2, 3))), rng.choice(MEETINGS)
    day, minutes = (WEEK + timedelta(days=rng.randrange(5))).isoformat(), rng.choice((30, 60))
    quiet = rng.random() < 0.25
    yield (
        f"Book a {title.lower()} of {minutes} minutes on {day} for {', '.join(who)}."
        + (" Don't send invitations yet, I want to tell them myself." if quiet else "")
    )
    (answer,) = yield Step(
        f"I need a time on {day} at which {' and '.join(who)} are all free. The tool finds those directly.",
        calls=[_call("find_free_time", day=day, minutes=minutes, attendees=who)],
    )
    free = json.loads(answer)["free"] or ["16:30"]
    time = rng.choice(free[:4])
    room = {"location": rng.choice(("Room 2", "Library", "Café Zürich"))} if rng.random() < 0.3 else {}
    told = {"send_invitations": False} if quiet else {}
    yield Step(
        f"Free times: {', '.join(free)}. {time} is as good as any and leaves room around it."
        + (" The user does not want invitations to go out." if quiet else ""),
        _intro(rng, f"{time} suits everybody, I'll book it."),
        [_call("create_event", title=title, start=f"{day}T{time}", minutes=minutes, attendees=who, **room, **told)],
    )
    yield Step(
        "The event was created. I confirm day, time and people.",
        f"Booked: **{title}**, {day} at {time}, {minutes} minutes, with {', '.join(name.title() for name in who)}."
        + (" No invitations were sent." if quiet else ""),
    )


def cancel_event(rng: Random) -> Script:
    day = (WEEK + timedelta(days=rng.randrange(5))).isoformat()
    yield f"Something came up on {day}. What is on my calendar, and can you cancel the first thing of the day?"
    (answer,) = yield Step(
        f"First I list what there is on {day}; the first event is the one to cancel.",
        calls=[_call("list_events", day=day, **_everywhere(rng, attendee=""))],
    )
    events = json.loads(answer)
    first = events[0]
    yield Step(
        f"There are {len(events)} events. The first is {first['title']!r} at {first['start'][11:]} with "
        f"{', '.join(first['attendees'])}; its id is {first['id']}.",
        calls=[_call("cancel_event", event_id=first["id"], reason="Something came up.")],
    )
    yield Step(
        "Cancelled, and those who take part were told. What remains of the day is worth a line.",
        f"I cancelled the {first['title'].lower()} at {first['start'][11:]}. {len(events) - 1} events remain that day.",
    )


def ask_weekday(rng: Random) -> Script:
    year, month, day = rng.randint(2024, 2031), rng.randint(1, 12), rng.randint(1, 28)
    yield f"What day of the week is {year}-{month:02}-{day:02}? And how many Mondays does that month have?"
    (table,) = yield Step(
        "I would rather read it off a calendar than compute it.", calls=[_call("show_month", year=year, month=month)]
    )
    mondays = sum(1 for line in table.splitlines()[2:] if line[:2].strip())
    yield Step(
        f"The month:\n{table}\nThe first column is Monday; {mondays} of its rows have a number there.",
        f"The month has {mondays} Mondays. Here it is:\n\n```\n{table.rstrip()}\n```",
    )


# ---- travel ---------------------------------------------------------------------------------


def compare_distance(rng: Random) -> Script:
    a, b, c = rng.sample(CITIES, 3)
    sail = {"nautical": True} if rng.random() < 0.2 else {}
    unit = "nautical miles" if sail else "kilometres"
    yield f"I am in {a.name}. Is {b.name} or {c.name} nearer, in {unit}?"
    answers = yield Step(
        f"Two distances from {a.name}: to {b.name} and to {c.name}. They do not depend on each other, so I ask for both "
        "at once.",
        calls=[
            _call("distance", origin=a.name, destination=b.name, **sail),
            _call("distance", origin=a.name, destination=c.name, **sail),
        ],
    )
    near, far = sorted(map(json.loads, answers), key=lambda answer: int(answer["distance"]))
    yield Step(
        f"{near['to']} is {near['distance']} {near['unit']} away and {far['to']} {far['distance']}. The difference is "
        f"{far['distance'] - near['distance']}.",
        f"{near['to']} is nearer: {near['distance']:,} {near['unit']}, against {far['distance']:,} to {far['to']}.",
    )


def plan_call(rng: Random) -> Script:
    a, b = rng.sample(CITIES, 2)
    utc = f"2026-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}T{rng.randrange(24):02}:00"
    yield f"I want to ring a friend in {b.name} from {a.name} at {utc} UTC. What time is it for each of us?"
    (found,) = yield Step(
        f"I should make sure that I have the right {b.name}.",
        _intro(rng, "Let me look that up."),
        [_call("find_city", name=b.name, **_everywhere(rng, country=""))],
    )
    answers = yield Step(
        f"The tool knows it: {found}. Now both local times.",
        calls=[_call("local_time", city=a.name, utc=utc), _call("local_time", city=b.name, utc=utc)],
    )
    here, there = (json.loads(answer)["local"].replace("T", " at ") for answer in answers)
    yield Step(
        f"{a.name}: {here}. {b.name}: {there}. Both are standard time; I should say so.",
        f"In {a.name} it is then {here}, in {b.name} {there} (standard time, without summer time).",
    )


def ask_daylight(rng: Random) -> Script:
    city = rng.choice(CITIES)
    days = [f"2026-{month:02}-21" for month in sorted(rng.sample(range(1, 13), 2))]
    yield f"How long are the days in {city.name} on {days[0]} and on {days[1]}?"
    hours = []
    for day in days:
        (answer,) = yield Step(
            f"Next: the daylight in {city.name} on {day}." if hours else f"I need two figures; I begin with {day}.",
            calls=[_call("daylight", city=city.name, day=day)],
        )
        hours.append(json.loads(answer)["daylight_hours"])
    yield Step(
        f"{hours[0]} hours and {hours[1]} hours. At latitude {city.latitude} that is plausible.",
        f"In {city.name} the sun is up for {hours[0]} hours on {days[0]} and for {hours[1]} on {days[1]}.",
    )


SETTINGS: Mapping[str, tuple[type[Toolbox], Sequence[Task]]] = {
    "code": (Repository, (explain_function, find_usages, edit_docstring, survey_files)),
    "database": (Database, (count_types, look_up_status, add_table)),
    "calendar": (Calendar, (schedule_meeting, cancel_event, ask_weekday)),
    "travel": (Travel, (compare_distance, plan_call, ask_daylight)),
}
"""The settings: their tools and what users ask for there."""
