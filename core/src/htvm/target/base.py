"""The class a target plug-in derives from."""

from __future__ import annotations

from typing import ClassVar

API_VERSION = "1.0"
"""Version of the plug-in interface, ``major.minor``.

The minor number is raised by an addition, the major number by a change that breaks plug-ins.
"""


class Target:
    """Base of a target; its methods marked ``@hookimpl`` answer the hooks.

    The entry point in the group ``htvm.targets`` names the class; a session makes one instance.

    Attributes:
        api_version: The least interface version the plug-in needs, ``"major.minor"``. htvm takes it
            if the major numbers are equal and its own minor number is not less.
        extends: Ids of targets whose hooks answer what this one leaves open, nearest first.
    """

    api_version: ClassVar[str] = "1.0"
    extends: ClassVar[tuple[str, ...]] = ()
