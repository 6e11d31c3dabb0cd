"""What somebody may have meant who has mistyped a word. Knows no word of its own."""

from collections.abc import Iterable


def suggest(typed: str, known: Iterable[str]) -> str:
    """A sentence, after a space, that names the known word nearest to the typed one; nothing where none is near."""
    near = find_nearest(typed, known)
    return f" Did you mean “{near}”?" if near else ""


def find_nearest(typed: str, known: Iterable[str], *, likeness: float = 0.6) -> str | None:
    """The known word nearest to the typed one, whatever their case; None where none is near: 1 is the same word."""
    import difflib  # noqa: PLC0415 - for a mistake alone

    folded = {word.casefold(): word for word in known}
    near = difflib.get_close_matches(typed.casefold(), folded, n=1, cutoff=likeness)
    return folded[near[0]] if near else None
