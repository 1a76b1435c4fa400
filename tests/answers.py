"""Reads what the REST API answered: its sentence, and the fields it names."""

from typing import Any


def sentence(answer: Any) -> str:
    """Why something was refused."""
    return str(answer.json()["detail"])


def fields(answer: Any) -> dict[str, Any]:
    """What is wrong with which field."""
    found: dict[str, Any] = answer.json()["errors"]
    return found
