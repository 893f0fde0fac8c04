"""A calendar: a week of appointments of a small team."""

from __future__ import annotations

import json
from calendar import TextCalendar
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from random import Random

from .base import Script, Step, Toolbox, call, everywhere, intro

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
        return TextCalendar().formatmonth(year, month)


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
        calls=[call("find_free_time", day=day, minutes=minutes, attendees=who)],
    )
    free = json.loads(answer)["free"] or ["16:30"]
    time = rng.choice(free[:4])
    room = {"location": rng.choice(("Room 2", "Library", "Café Zürich"))} if rng.random() < 0.3 else {}
    told = {"send_invitations": False} if quiet else {}
    yield Step(
        f"Free times: {', '.join(free)}. {time} is as good as any and leaves room around it."
        + (" The user does not want invitations to go out." if quiet else ""),
        intro(rng, f"{time} suits everybody, I'll book it."),
        [call("create_event", title=title, start=f"{day}T{time}", minutes=minutes, attendees=who, **room, **told)],
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
        calls=[call("list_events", day=day, **everywhere(rng, attendee=""))],
    )
    events = json.loads(answer)
    first = events[0]
    yield Step(
        f"There are {len(events)} events. The first is {first['title']!r} at {first['start'][11:]} with "
        f"{', '.join(first['attendees'])}; its id is {first['id']}.",
        calls=[call("cancel_event", event_id=first["id"], reason="Something came up.")],
    )
    yield Step(
        "Cancelled, and those who take part were told. What remains of the day is worth a line.",
        f"I cancelled the {first['title'].lower()} at {first['start'][11:]}. {len(events) - 1} events remain that day.",
    )


def ask_weekday(rng: Random) -> Script:
    year, month, day = rng.randint(2024, 2031), rng.randint(1, 12), rng.randint(1, 28)
    yield f"What day of the week is {year}-{month:02}-{day:02}? And how many Mondays does that month have?"
    (table,) = yield Step(
        "I would rather read it off a calendar than compute it.", calls=[call("show_month", year=year, month=month)]
    )
    mondays = sum(1 for line in table.splitlines()[2:] if line[:2].strip())
    yield Step(
        f"The month:\n{table}\nThe first column is Monday; {mondays} of its rows have a number there.",
        f"The month has {mondays} Mondays. Here it is:\n\n```\n{table.rstrip()}\n```",
    )
