"""Travel: distances, times and daylight of cities, computed."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from random import Random

from .base import Script, Step, Toolbox, call, everywhere, intro


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


def compare_distance(rng: Random) -> Script:
    a, b, c = rng.sample(CITIES, 3)
    sail = {"nautical": True} if rng.random() < 0.2 else {}
    unit = "nautical miles" if sail else "kilometres"
    yield f"I am in {a.name}. Is {b.name} or {c.name} nearer, in {unit}?"
    answers = yield Step(
        f"Two distances from {a.name}: to {b.name} and to {c.name}. They do not depend on each other, so I ask for "
        "both at once.",
        calls=[
            call("distance", origin=a.name, destination=b.name, **sail),
            call("distance", origin=a.name, destination=c.name, **sail),
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
        intro(rng, "Let me look that up."),
        [call("find_city", name=b.name, **everywhere(rng, country=""))],
    )
    answers = yield Step(
        f"The tool knows it: {found}. Now both local times.",
        calls=[call("local_time", city=a.name, utc=utc), call("local_time", city=b.name, utc=utc)],
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
    hours: list[float] = []
    for day in days:
        (answer,) = yield Step(
            f"Next: the daylight in {city.name} on {day}." if hours else f"I need two figures; I begin with {day}.",
            calls=[call("daylight", city=city.name, day=day)],
        )
        hours.append(json.loads(answer)["daylight_hours"])
    yield Step(
        f"{hours[0]} hours and {hours[1]} hours. At latitude {city.latitude} that is plausible.",
        f"In {city.name} the sun is up for {hours[0]} hours on {days[0]} and for {hours[1]} on {days[1]}.",
    )
