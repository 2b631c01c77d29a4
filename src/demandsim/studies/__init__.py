"""Published models as data: TOML files that name equations and give distributions with sources."""

from demandsim.studies.loading import list_studies, load_study

__all__ = ["list_studies", "load_study"]
