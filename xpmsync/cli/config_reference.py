"""What `xpmsync configure --explain` prints: every setting with its meaning, as a file to copy from.

It is `config.example.toml` too, which is made from this. Knows no home, and no value that somebody has set.
"""

import textwrap
from typing import Final

from xpmsync.config import SECTIONS, SETTINGS

WIDTH: Final = 80
HEADER: Final = """\
# The settings of xpmsync. Copy what you need into config.toml, in the folder
# that XPMSYNC_HOME names or, without it, in ~/.config/xpmsync (Linux) or
# ~/Library/Application Support/xpmsync (macOS).
#
# Every key there is stands here. A key with a "#" right before it is not set:
# what it shows is the value that holds without it, or an example where nothing
# holds. "xpmsync connect" and "xpmsync configure" fill in what they ask for and
# keep your comments. Passwords and tokens are never written here; they are kept
# in the keyring.
"""


def render_explanation() -> str:
    """Every key commented out, with its default or an example."""
    text = HEADER
    for section, settings in SECTIONS.items():
        text += f"\n{_comment(settings.__doc__ or '')}[{section}]\n"
        for each in (each for each in SETTINGS.values() if each.section == section):
            meaning, value = each.meaning, each.default
            if value in (None, ()):
                meaning, value = f"{meaning} An example:", each.example
            text += f"{_comment(meaning)}#{each.key} = {to_toml(value)}\n"
    return text


def to_toml(value: object) -> str:
    """A value as config.toml has it."""
    import tomlkit  # noqa: PLC0415 - slow to load

    return str(tomlkit.item(list(value) if isinstance(value, tuple) else value).as_string())


def _comment(text: str) -> str:
    flowing = " ".join(text.split())
    return textwrap.fill(flowing, WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False) + "\n"
