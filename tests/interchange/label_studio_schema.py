"""Label Studio's JSON of tasks with pre-annotations, as its guide documents it, and the names in a configuration."""

from __future__ import annotations

from xml.etree import ElementTree

REGION = {
    "type": "object",
    "required": ["from_name", "to_name", "type", "value"],
    "properties": {
        "id": {"type": "string"},
        "from_name": {"type": "string"},
        "to_name": {"type": "string"},
        "type": {"enum": ["labels", "choices"]},
        "value": {"type": "object"},
    },
}
TASKS = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["data", "predictions"],
        "properties": {
            "data": {"type": "object", "required": ["text", "image", "mention", "candidates"]},
            "predictions": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["result", "score", "model_version"],
                    "properties": {"result": {"type": "array", "items": REGION}, "score": {"type": "number"}},
                },
            },
        },
    },
}


def tag_types(config: str) -> dict[str, str]:
    """The tags of a labeling configuration that have a name: name -> tag in lower case, as regions state their type."""
    return {
        tag.attrib["name"]: tag.tag.lower() for tag in ElementTree.fromstring(config).iter() if "name" in tag.attrib
    }


def variables(config: str) -> set[str]:
    """The keys of a task's data that a labeling configuration shows."""
    values = (tag.attrib.get("value", "") for tag in ElementTree.fromstring(config).iter())
    return {value.removeprefix("$") for value in values if value.startswith("$")}
