"""The class a target plug-in derives from."""

from __future__ import annotations

from typing import ClassVar

API_VERSION = 1
"""Version of the plug-in interface: raised when a change breaks existing plug-ins."""


class Target:
    """Base of a target; its methods marked ``@hookimpl`` answer the hooks.

    The entry point in the group ``htvm.targets`` names the class; a session makes one instance.

    Attributes:
        api_version: Interface version the plug-in was written for.
        extends: Ids of targets whose hooks answer what this one leaves open, nearest first.
    """

    api_version: ClassVar[int] = API_VERSION
    extends: ClassVar[tuple[str, ...]] = ()
