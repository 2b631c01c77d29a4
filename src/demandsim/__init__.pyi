from . import decisions as decisions
from . import distributions as distributions
from . import equations as equations
from . import forecasting as forecasting
from . import plots as plots
from . import sensitivity as sensitivity
from . import testing as testing
from ._system import __version__ as __version__
from .errors import DemandsimError as DemandsimError
from .graph.assumption import Assumption as Assumption
from .graph.equation import Equation as Equation
from .graph.equation import equation as equation
from .graph.label_correlation import ar1 as ar1
from .graph.label_correlation import exponential as exponential
from .graph.recurrence import recurrence as recurrence
from .model import Model as Model
from .report import write_report as write_report
from .sampling.receipt import receipt as receipt
from .sampling.store.reading import open_draws as open_draws
from .series import list_series as list_series
from .series import load_series as load_series
from .series.cross_check import cross_check as cross_check
from .statistics.datatree import to_datatree as to_datatree
from .statistics.foreign import import_draws as import_draws
from .statistics.summarize import probability as probability
from .statistics.summarize import summarize as summarize
from .statistics.table import table as table
from .studies import list_studies as list_studies
from .studies import load_study as load_study
from .units.constant import constant as constant
from .units.convert import convert as convert
from .units.dates import calendar_weights as calendar_weights
from .workbook import read_sipmath as read_sipmath
from .workbook import read_workbook as read_workbook
from .workbook import write_sipmath as write_sipmath
from .workbook import write_workbook as write_workbook

__all__ = [
    "Assumption",
    "DemandsimError",
    "Equation",
    "Model",
    "__version__",
    "ar1",
    "calendar_weights",
    "constant",
    "convert",
    "cross_check",
    "decisions",
    "distributions",
    "equation",
    "equations",
    "exponential",
    "forecasting",
    "import_draws",
    "list_series",
    "list_studies",
    "load_series",
    "load_study",
    "open_draws",
    "plots",
    "probability",
    "read_sipmath",
    "read_workbook",
    "receipt",
    "recurrence",
    "sensitivity",
    "summarize",
    "table",
    "testing",
    "to_datatree",
    "write_report",
    "write_sipmath",
    "write_workbook",
]
