"""The settings in which the demo's rollouts take place: their tools, and what users ask for there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from . import calendar, code, database, travel
from .base import Task, Toolbox

SETTINGS: Mapping[str, tuple[type[Toolbox], Sequence[Task]]] = {
    "code": (code.Repository, (code.explain_function, code.find_usages, code.edit_docstring, code.survey_files)),
    "database": (database.Database, (database.count_types, database.look_up_status, database.add_table)),
    "calendar": (calendar.Calendar, (calendar.schedule_meeting, calendar.cancel_event, calendar.ask_weekday)),
    "travel": (travel.Travel, (travel.compare_distance, travel.plan_call, travel.ask_daylight)),
}
