from .catalogue import list_studies as list_studies
from .loading import load_study as load_study
