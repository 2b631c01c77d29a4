from . import decisions as decisions
from . import distributions as distributions
from . import equations as equations
from . import plots as plots
from . import sensitivity as sensitivity
from . import testing as testing
from .assumptions import Assumption as Assumption
from .constants import constant as constant
from .cross_checks import cross_check as cross_check
from .errors import DemandsimError as DemandsimError
from .graph import Equation as Equation
from .graph import equation as equation
from .model import Model as Model
from .receipts import receipt as receipt
from .report import write_report as write_report
from .series import list_series as list_series
from .series import load_series as load_series
from .stores import open_draws as open_draws
from .studies import list_studies as list_studies
from .studies import load_study as load_study
from .summary import probability as probability
from .summary import summarize as summarize
from .summary import to_datatree as to_datatree
from .tables import table as table
from .units import convert as convert
from .workbook import read_workbook as read_workbook
from .workbook import write_workbook as write_workbook

__all__ = [
    "Assumption",
    "DemandsimError",
    "Equation",
    "Model",
    "constant",
    "convert",
    "cross_check",
    "decisions",
    "distributions",
    "equation",
    "equations",
    "list_series",
    "list_studies",
    "load_series",
    "load_study",
    "open_draws",
    "plots",
    "probability",
    "read_workbook",
    "receipt",
    "sensitivity",
    "summarize",
    "table",
    "testing",
    "to_datatree",
    "write_report",
    "write_workbook",
]
