"""The line that a person types at a terminal, by prompt_toolkit."""

from prompt_toolkit import PromptSession, history
from prompt_toolkit.history import DummyHistory, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.patch_stdout import patch_stdout

from .view import mask

__all__ = ["DummyHistory", "History", "patch_stdout", "session"]


class History(InMemoryHistory):
    """What was typed, but for secrets."""

    def append_string(self, string: str) -> None:
        if string == mask(string):
            super().append_string(string)


def session(kept: history.History) -> PromptSession[str]:
    """A line editor that raises EOFError for Ctrl-], Ctrl-C and Ctrl-D."""
    keys = KeyBindings()

    @keys.add("c-]")
    def leave(event: KeyPressEvent) -> None:
        event.app.exit(exception=EOFError)

    # What was typed is erased, and shown once more without its secrets.
    return PromptSession(history=kept, key_bindings=keys, erase_when_done=True, interrupt_exception=EOFError)
