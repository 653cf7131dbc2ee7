"""The declared versions of each event type, gathered from all files: which is the newest, and which are older."""

from __future__ import annotations

from rules.model.event_schema import EventSchema


class Versions:
    def __init__(self) -> None:
        self._types: dict[str, dict[int, EventSchema]] = {}

    def add(self, schema: EventSchema) -> EventSchema | None:
        """The schema that has this type and version already, if there is one; then nothing is added."""
        declared = self._types.setdefault(schema.type, {})
        known = declared.setdefault(schema.version, schema)
        return None if known is schema else known

    def newest(self) -> dict[str, EventSchema]:
        return {type: declared[max(declared)] for type, declared in self._types.items()}

    def numbered(self) -> dict[str, tuple[EventSchema, ...]]:
        """Of the types of which a version is named by its number: the versions, the oldest first."""
        return {
            type: tuple(declared[version] for version in sorted(declared))
            for type, declared in self._types.items()
            if any(schema.numbered for schema in declared.values())
        }
