from collections.abc import Mapping

from htvm.api import Target, hookimpl


class Options(Target):
    @hookimpl
    def htvm_options(self) -> Mapping[str, str]:
        return {"engine.rows.probe": "name of a signal the device code raises while rows work"}
