"""A small but complete target; each of its modules is the example of one hook."""

from .htvm_convert import Convert
from .htvm_convert_cost import ConvertCost
from .htvm_cost import CostModel
from .htvm_doctor import Doctor
from .htvm_emit import Emit
from .htvm_hardware import Describe
from .htvm_options import Options
from .htvm_pack import Pack
from .htvm_patterns import Patterns
from .htvm_runner import Simulator
from .htvm_runtime import Files
from .htvm_schedule import Schedule
from .htvm_tilings import Tilings


class Mini(
    Describe, Patterns, Tilings, CostModel, Pack, Schedule, Emit, Files,
    ConvertCost, Convert, Simulator, Doctor, Options,
):  # fmt: skip
    """A host and a unit that multiplies a vector by a matrix, four rows at a time."""

    extends = ("cpu",)
